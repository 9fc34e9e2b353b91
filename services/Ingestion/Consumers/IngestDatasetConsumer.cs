using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Sources;
using Distributed.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.Ingestion.Consumers;

/// <summary>Finds what a run needs: starts the downloads that are missing, else joins or begins the packing of its images.</summary>
internal sealed class IngestDatasetConsumer(
    JobWorker worker,
    IDbContextFactory<CatalogContext> contexts,
    RunFlow runs,
    SourceLocator sources,
    DataRoots roots,
    DatasetArtifacts artifacts,
    IOptions<IngestionOptions> options,
    TimeProvider time
) : JobConsumer<IngestDataset>(worker)
{
    public override async Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await BeginAsync(lease.Job.RunId, cancellationToken);
        var (run, specification) = await contexts.ReadRunAsync(lease.Job.RunId, cancellationToken);
        var missing = sources.FindMissing(specification);
        return missing.Count > 0
            ? (context, token) => JoinDownloadsAsync(context, run, missing, token)
            : await PlanPackingAsync(lease, run, specification, cancellationToken);
    }

    public override async Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleAsync(row => row.Id == job.RunId, cancellationToken);
        var needed = await context.RunDependencies.Where(d => d.RunId == run.Id).Select(d => d.Scope).ToListAsync(cancellationToken);
        var downloads = await context.Downloads.Where(d => needed.Contains(d.Key)).Select(d => d.Key).ToListAsync(cancellationToken);

        // What this run joined may have been completed while it joined: it has committed, now it looks.
        var scopes = new List<string>(needed);
        foreach (var download in downloads)
        {
            scopes.AddRange(await runs.DownloadCompletedAsync(download, cancellationToken));
        }

        if (run.IngestionKey is { } ingestion)
        {
            scopes.AddRange(await runs.PartPackedAsync(ingestion, cancellationToken));
            scopes.AddRange(await runs.DatasetIngestedAsync(ingestion, cancellationToken));
        }

        return scopes;
    }

    private async Task BeginAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await runs.MoveAsync(context, runId, RunState.Submitted, RunState.Ingesting, cancellationToken);
    }

    private async Task JoinDownloadsAsync(
        CatalogContext context,
        Run run,
        IReadOnlyList<Fetchable> missing,
        CancellationToken cancellationToken
    )
    {
        foreach (var fetchable in missing)
        {
            var known = await context.Downloads.SingleOrDefaultAsync(download => download.Key == fetchable.Key, cancellationToken);
            if (known is null)
            {
                context.Downloads.Add(fetchable.ToDownload());
                context.PlanJobs(JobKind.DownloadFile, fetchable.Key, [0], run.TraceParent, Now());
            }
            else if (known.CompletedAt is not null)
            {
                // It was fetched once and has been removed from the volume since.
                known.CompletedAt = null;
                known.BytesDone = 0;
                var next = await context.Jobs.Where(job => job.Scope == known.Key).MaxAsync(job => job.Step, cancellationToken) + 1;
                context.PlanJobs(JobKind.DownloadFile, fetchable.Key, [next], run.TraceParent, Now());
            }

            await context.DependAsync(run.Id, fetchable.Key, cancellationToken);
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
        var listing = await source.ListAsync(roots, cancellationToken);
        if (SourceLocator.NameOf(specification) is { } name)
        {
            listing = listing with { DisplayName = name };
        }

        var key = IngestionKey.Of(listing, specification.InputSize, specification.Fit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await context.Ingestions.AsNoTracking().SingleOrDefaultAsync(row => row.Key == key, cancellationToken);
        if (known is not null && await artifacts.IsWholeAsync(known.Listing, cancellationToken))
        {
            return (inner, token) => JoinAsync(inner, run, key, token);
        }

        var partSize = Math.Clamp(
            options.Value.MostBytesAPart / (specification.InputSize * specification.InputSize * 3),
            1,
            options.Value.MostImagesAPart
        );
        var ingestion = new Catalog.Ingestion
        {
            Key = key,
            Source = listing.Source,
            InputSize = specification.InputSize,
            Fit = specification.Fit,
            Listing = await artifacts.WriteJsonAsync($"ingestions/{key}/listing.{lease.TokenText}.json", listing, cancellationToken),
            EntryCount = listing.Entries.Count,
            PartSize = partSize,
            PartCount = (listing.Entries.Count + partSize - 1) / partSize,
            CreatedAt = Now(),
        };
        return async (inner, token) =>
        {
            if (!await inner.LockIngestionAsync(key, token))
            {
                inner.Ingestions.Add(ingestion);
                inner.PlanJobs(JobKind.PackImages, key, Enumerable.Range(0, ingestion.PartCount), run.TraceParent, Now());
            }
            else if (known is not null)
            {
                await inner
                    .Ingestions.Where(row => row.Key == key && row.Listing.Path == known.Listing.Path)
                    .ExecuteUpdateAsync(row => row.SetProperty(i => i.Listing, ingestion.Listing), token);
            }

            await EnterAsync(inner, run, key, token);
        };
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
