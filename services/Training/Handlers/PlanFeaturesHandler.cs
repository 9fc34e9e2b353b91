using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Splits;
using Distributed.Jobs;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Handlers;

/// <summary>Plans a run's features: draws its splits, resolves what is chosen by measurement, and joins or begins the feature set.</summary>
internal sealed class PlanFeaturesHandler(
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts artifacts,
    BackboneStore backbones,
    FeaturePlanner planner,
    TimeProvider time
) : IJobHandler<PlanFeatures>
{
    public async Task<JobWrite> ExecuteAsync(PlanFeatures job, JobLease lease, CancellationToken cancellationToken)
    {
        var (run, specification) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var input = await FindInputAsync(run, cancellationToken);
        if (input is not null && RunWarnings.FindFailure(input, specification) is { } failure)
        {
            throw new DatasetException(failure);
        }

        // The data set may have been found first in another source, and messages name this run's.
        var manifest = await artifacts.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        manifest = manifest with { DisplayName = input?.Name ?? manifest.DisplayName };
        var split = DatasetSplit.Draw(
            manifest,
            specification.SplitSeed,
            specification.ValidationFraction,
            specification.TestFraction,
            specification.Fold
        );
        var weights = backbones.Load(specification);
        var (backbone, damaged) = await backbones.DescribeAsync(specification, weights, lease, cancellationToken);
        // What was planned before stays: the run is here again since its splits or its backbone's copy were damaged.
        var planned =
            await FindPlannedAsync(run, cancellationToken)
            ?? await planner.PlanAsync(run, specification, manifest, weights, cancellationToken);
        ThrowIfChanged(specification, backbone, planned);
        var splitFile = await artifacts.WriteJsonAsync($"runs/{run.Id:D}/split.{lease.TokenText}.json", split, cancellationToken);
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                await AddMissingAsync(context, backbone, damaged, planned, run, token);
                var isCached =
                    !await context.Jobs.AnyAsync(
                        job => job.Kind == nameof(ExtractFeatures) && job.Scope == planned.Key && job.State != JobState.Done,
                        token
                    ) && await context.FeatureSets.AnyAsync(set => set.Key == planned.Key, token);
                var row = await context.Runs.SingleAsync(r => r.Id == run.Id, token);
                row.FeatureSetKey = planned.Key;
                row.FeatureCacheHit ??= isCached;
                row.Split = splitFile;
                row.TrainImages = split.Train.Length;
                row.ValidationImages = split.Validation.Length;
                row.TestImages = split.Test.Length;
                row.RemovedDuplicates = split.RemovedDuplicates.Length;
                await context.DependAsync(run.Id, planned.Key, token);
            }
        );
    }

    private static void ThrowIfChanged(RunSpecification specification, Backbone backbone, FeatureSet planned)
    {
        if (planned.BackboneSha256 != backbone.Sha256)
        {
            throw new WeightsException(
                $"The weights '{specification.Backbone}' have changed since the run's features were planned: their SHA-256 is {backbone.Sha256}, and it was {planned.BackboneSha256}. Submit the run again."
            );
        }
    }

    private async Task<IngestionSummary?> FindInputAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .Ingestions.Where(ingestion => ingestion.Key == run.IngestionKey)
            .Select(ingestion => ingestion.Summary)
            .SingleAsync(cancellationToken);
    }

    private async Task<FeatureSet?> FindPlannedAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.FeatureSets.AsNoTracking().SingleOrDefaultAsync(set => set.Key == run.FeatureSetKey, cancellationToken);
    }

    private async Task AddMissingAsync(
        CatalogContext context,
        Backbone backbone,
        StoredFile? damaged,
        FeatureSet planned,
        Run run,
        CancellationToken cancellationToken
    )
    {
        if (!await context.Backbones.AnyAsync(row => row.Sha256 == backbone.Sha256, cancellationToken))
        {
            context.Backbones.Add(backbone);
        }
        else if (damaged is not null)
        {
            await context
                .Backbones.Where(row => row.Sha256 == backbone.Sha256 && row.File!.Path == damaged.Path)
                .ExecuteUpdateAsync(row => row.SetProperty(b => b.File, backbone.File), cancellationToken);
        }

        if (await context.LockFeatureSetAsync(planned.Key, cancellationToken))
        {
            // Its images may have been packed from another source, and collected since; ours are the same.
            await context.LockIngestionAsync(planned.IngestionKey, cancellationToken);
            await context
                .FeatureSets.Where(set => set.Key == planned.Key && !context.PackedParts.Any(part => part.IngestionKey == set.IngestionKey))
                .ExecuteUpdateAsync(set => set.SetProperty(s => s.IngestionKey, run.IngestionKey!), cancellationToken);
        }
        else
        {
            context.FeatureSets.Add(planned);
            context.PlanJobs(
                nameof(ExtractFeatures),
                planned.Key,
                Enumerable.Range(0, planned.ShardCount),
                run.TraceParent,
                time.GetUtcNow().UtcDateTime
            );
        }
    }
}
