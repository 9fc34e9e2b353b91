using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion.Handlers;

/// <summary>Finds what a run needs: starts the downloads that are missing, else joins or begins the packing of its images.</summary>
internal sealed class IngestDatasetHandler(
    IDbContextFactory<CatalogContext> contexts,
    SourceLocator sources,
    DataRoots roots,
    DatasetArtifacts artifacts,
    IOptions<IngestionOptions> options,
    TimeProvider time
) : IJobHandler<IngestDataset>
{
    public async Task<JobWrite> ExecuteAsync(IngestDataset job, JobLease lease, CancellationToken cancellationToken)
    {
        await BeginAsync(lease.RunId, cancellationToken);
        var (run, specification) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var missing = sources.FindMissing(specification);
        return missing.Count > 0
            ? JobWrite.To<CatalogContext>((context, token) => JoinDownloadsAsync(context, run, missing, token))
            : await PlanPackingAsync(lease, run, specification, cancellationToken);
    }

    private async Task BeginAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.MoveRunAsync(runId, RunState.Submitted, RunState.Ingesting, Now(), cancellationToken);
    }

    private async Task JoinDownloadsAsync(
        CatalogContext context,
        Run run,
        IReadOnlyList<DownloadSource> missing,
        CancellationToken cancellationToken
    )
    {
        foreach (var source in missing)
        {
            var known = await context.Downloads.SingleOrDefaultAsync(download => download.Key == source.Key, cancellationToken);
            if (known is null)
            {
                context.Downloads.Add(source.ToDownload());
                context.PlanJobs(nameof(DownloadFile), source.Key, [0], run.TraceParent, Now());
            }
            else if (known.CompletedAt is not null)
            {
                // It was fetched once and has been removed from the volume since.
                known.CompletedAt = null;
                known.BytesDone = 0;
                var next = await context.Jobs.Where(job => job.Scope == known.Key).MaxAsync(job => job.Step, cancellationToken) + 1;
                context.PlanJobs(nameof(DownloadFile), source.Key, [next], run.TraceParent, Now());
            }

            await context.DependAsync(run.Id, source.Key, cancellationToken);
        }
    }

    private async Task<JobWrite> PlanPackingAsync(
        JobLease lease,
        Run run,
        RunSpecification specification,
        CancellationToken cancellationToken
    )
    {
        var source = await sources.LocateAsync(specification, cancellationToken);
        var fileIndex = await source.ListAsync(roots, areLabelled: specification.Model is null, cancellationToken);
        if (SourceLocator.NameOf(specification) is { } name)
        {
            fileIndex = fileIndex with { DisplayName = name };
        }

        var preparation = specification.Preparation;
        var key = IngestionKey.Of(fileIndex, preparation);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await context.Ingestions.AsNoTracking().SingleOrDefaultAsync(row => row.Key == key, cancellationToken);
        if (known is not null && await artifacts.IsWholeAsync(known.FileIndex, cancellationToken))
        {
            return JobWrite.To<CatalogContext>((inner, token) => JoinAsync(inner, run, key, token));
        }

        var partSize = Math.Clamp(
            options.Value.MostBytesAPart / (preparation.Size * preparation.Size * 3),
            1,
            options.Value.MostImagesAPart
        );
        var ingestion = new Catalog.Ingestion
        {
            Key = key,
            Source = fileIndex.Source,
            SquareSize = preparation.Size,
            Fit = preparation.Fit,
            Decoding = preparation.Decoding,
            CropShare = preparation.CropShare,
            Resampling = preparation.Resampling,
            FileIndex = await artifacts.WriteJsonAsync($"ingestions/{key}/index.{lease.TokenText}.json", fileIndex, cancellationToken),
            EntryCount = fileIndex.Entries.Count,
            PartSize = partSize,
            PartCount = (fileIndex.Entries.Count + partSize - 1) / partSize,
            CreatedAt = Now(),
        };
        return JobWrite.To<CatalogContext>(
            async (inner, token) =>
            {
                if (!await inner.LockIngestionAsync(key, token))
                {
                    inner.Ingestions.Add(ingestion);
                    inner.PlanJobs(nameof(PackImages), key, Enumerable.Range(0, ingestion.PartCount), run.TraceParent, Now());
                }
                else if (known is not null)
                {
                    await inner
                        .Ingestions.Where(row => row.Key == key && row.FileIndex.Path == known.FileIndex.Path)
                        .ExecuteUpdateAsync(row => row.SetProperty(i => i.FileIndex, ingestion.FileIndex), token);
                }

                await EnterAsync(inner, run, key, token);
            }
        );
    }

    private static async Task JoinAsync(CatalogContext context, Run run, string key, CancellationToken cancellationToken)
    {
        if (!await context.LockIngestionAsync(key, cancellationToken))
        {
            throw new InvalidOperationException(
                $"The ingestion {key} was collected while the run joined it; the next attempt packs it again."
            );
        }

        await EnterAsync(context, run, key, cancellationToken);
    }

    private static async Task EnterAsync(CatalogContext context, Run run, string key, CancellationToken cancellationToken)
    {
        await context
            .Runs.Where(row => row.Id == run.Id)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.IngestionKey, key), cancellationToken);
        await context.DependAsync(run.Id, key, cancellationToken);
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
