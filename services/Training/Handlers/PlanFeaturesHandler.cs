using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Splits;
using Distributed.Jobs;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Handlers;

/// <summary>Plans a run's features: draws the splits of one that trains, resolves what is chosen by measurement, and joins or begins the feature set.</summary>
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
        return run.ModelRunId is { } modelRunId
            ? await PlanPredictionAsync(run, modelRunId, manifest, cancellationToken)
            : await PlanTrainingAsync(run, specification, manifest, lease, cancellationToken);
    }

    private async Task<JobWrite> PlanTrainingAsync(
        Run run,
        RunSpecification specification,
        DatasetManifest manifest,
        JobLease lease,
        CancellationToken cancellationToken
    )
    {
        var split = DatasetSplit.Draw(
            manifest,
            specification.SplitSeed,
            specification.ValidationFraction,
            specification.TestFraction,
            specification.Fold
        );
        var weights = backbones.Load(specification);
        var rows = await backbones.DescribeAsync(specification, weights, lease, cancellationToken);
        // What was planned before stays: the run is here again since its splits or its backbone's copy were damaged.
        var planned =
            await FindFeatureSetAsync(run, cancellationToken)
            ?? await planner.PlanAsync(run, specification, manifest, weights, cancellationToken);
        ThrowIfChanged(specification, rows[^1].Row, planned);
        var splitFile = await artifacts.WriteJsonAsync($"runs/{run.Id:D}/split.{lease.TokenText}.json", split, cancellationToken);
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                foreach (var (backbone, damaged) in rows)
                {
                    await AddBackboneAsync(context, backbone, damaged, token);
                }

                var row = await JoinAsync(context, run, planned, token);
                row.Split = splitFile;
                row.TrainImages = split.Train.Length;
                row.ValidationImages = split.Validation.Length;
                row.TestImages = split.Test.Length;
                row.RemovedDuplicates = split.RemovedDuplicates.Length;
            }
        );
    }

    /// <summary>The features of a run that predicts are computed as those that the model was trained on; there is nothing to split.</summary>
    private async Task<JobWrite> PlanPredictionAsync(
        Run run,
        Guid modelRunId,
        DatasetManifest manifest,
        CancellationToken cancellationToken
    )
    {
        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        var model =
            await catalog
                .Runs.Where(row => row.Id == modelRunId)
                .Join(catalog.FeatureSets, row => row.FeatureSetKey, set => set.Key, (_, set) => set)
                .AsNoTracking()
                .SingleOrDefaultAsync(cancellationToken)
            ?? throw new RegistryException(
                RegistryProblem.NotFound,
                $"The model {run.Model} was deleted after the run was submitted, and with it what its images went through. Submit the run again with another version."
            );
        var planned = await FindFeatureSetAsync(run, cancellationToken) ?? planner.PlanLike(model, run, manifest);
        return JobWrite.To<CatalogContext>((context, token) => JoinAsync(context, run, planned, token));
    }

    /// <summary>Makes a run need a feature set, and plans the set's jobs where it is new.</summary>
    private async Task<Run> JoinAsync(CatalogContext context, Run run, FeatureSet planned, CancellationToken cancellationToken)
    {
        await AddFeatureSetAsync(context, planned, run, cancellationToken);
        var isCached =
            !await context.Jobs.AnyAsync(
                job => job.Kind == nameof(ExtractFeatures) && job.Scope == planned.Key && job.State != JobState.Done,
                cancellationToken
            ) && await context.FeatureSets.AnyAsync(set => set.Key == planned.Key, cancellationToken);
        var row = await context.Runs.SingleAsync(r => r.Id == run.Id, cancellationToken);
        row.FeatureSetKey = planned.Key;
        row.FeatureCacheHit ??= isCached;
        await context.DependAsync(run.Id, planned.Key, cancellationToken);
        return row;
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

    private async Task<FeatureSet?> FindFeatureSetAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.FeatureSets.AsNoTracking().SingleOrDefaultAsync(set => set.Key == run.FeatureSetKey, cancellationToken);
    }

    private static async Task AddBackboneAsync(
        CatalogContext context,
        Backbone backbone,
        StoredFile? damaged,
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
    }

    private async Task AddFeatureSetAsync(CatalogContext context, FeatureSet planned, Run run, CancellationToken cancellationToken)
    {
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
