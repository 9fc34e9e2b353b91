using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Ingestion.Handlers;

/// <summary>Joins what the parts found into the manifest, and so learns which data set it is, and what there is to tell of its source.</summary>
internal sealed class CompleteDatasetHandler(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts artifacts, TimeProvider time)
    : IJobHandler<CompleteDataset>
{
    public async Task<JobWrite> ExecuteAsync(CompleteDataset job, JobLease lease, CancellationToken cancellationToken)
    {
        var key = job.Scope;
        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        var ingestion = await catalog.Ingestions.AsNoTracking().SingleAsync(row => row.Key == key, cancellationToken);
        var found = await artifacts.ReadIngestedAsync(ingestion, cancellationToken);
        var (manifest, summary) = (found.Manifest, found.Summary);
        if (ingestion.DatasetSha256 is { } before && before != manifest.Sha256)
        {
            throw new DatasetException(
                $"The manifest of the data set {before} is damaged, and cannot be recomputed: its images in {ingestion.Source} have changed since. Submit the run again."
            );
        }

        var known = await catalog
            .Datasets.AsNoTracking()
            .SingleOrDefaultAsync(dataset => dataset.Sha256 == manifest.Sha256, cancellationToken);
        var damaged = known is not null && !await artifacts.IsWholeAsync(known.Manifest, cancellationToken) ? known.Manifest : null;
        var file = await artifacts.WriteJsonAsync(
            $"datasets/{manifest.Sha256}/manifest.{lease.TokenText}.json",
            manifest,
            cancellationToken
        );
        IngestionTelemetry.RecordSkipped(summary.SkippedByReason);
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                var now = time.GetUtcNow().UtcDateTime;
                if (!await context.Datasets.AnyAsync(dataset => dataset.Sha256 == manifest.Sha256, token))
                {
                    context.Datasets.Add(
                        new Dataset
                        {
                            Sha256 = manifest.Sha256,
                            Name = manifest.DisplayName,
                            Source = manifest.Source,
                            ImageCount = manifest.Images.Count,
                            ClassNames = manifest.ClassNames,
                            Manifest = file,
                            CreatedAt = now,
                        }
                    );
                }
                else if (damaged is not null)
                {
                    await context
                        .Datasets.Where(dataset => dataset.Sha256 == manifest.Sha256 && dataset.Manifest.Path == damaged.Path)
                        .ExecuteUpdateAsync(dataset => dataset.SetProperty(d => d.Manifest, file), token);
                }

                await context
                    .Ingestions.Where(row => row.Key == key)
                    .ExecuteUpdateAsync(
                        row =>
                            row.SetProperty(i => i.DatasetSha256, manifest.Sha256)
                                .SetProperty(i => i.SkippedCount, summary.SkippedCount)
                                .SetProperty(i => i.Summary, summary)
                                .SetProperty(i => i.CompletedAt, now),
                        token
                    );
            }
        );
    }
}
