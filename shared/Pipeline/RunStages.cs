using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>
/// What a run is made of: the one declaration of its stages, in their order. From it follow a run's transitions, what is looked for
/// after a crash, which job recomputes a damaged file and what is blocked until then, queues and permissions, and the progress that
/// people see.
/// </summary>
public static class RunStages
{
    /// <summary>The resource of jobs that fetch files.</summary>
    public const string Network = "network";

    /// <summary>The resource of jobs that read and decode images.</summary>
    public const string Images = "images";

    /// <summary>The resource of jobs that compute with tensors.</summary>
    public const string Tensors = "tensors";

    private const string Ingestion = "ingestion";
    private const string Training = "training";
    private const string Evaluation = "evaluation";

    static RunStages()
    {
        var ingestDataset = new RunStage<IngestDataset>((scope, step) => new IngestDataset(scope, step))
        {
            Service = Ingestion,
            Resource = Images,
            State = RunState.Ingesting,
            Makes = [new((catalog, path) => catalog.Ingestions.Where(row => row.FileIndex.Path == path).Select(_ => new Maker()))],
        };
        var downloadFile = new RunStage<DownloadFile>((scope, step) => new DownloadFile(scope, step))
        {
            Service = Ingestion,
            Resource = Network,
            State = RunState.Ingesting,
            After = [ingestDataset],
            IsChain = true,
            Measure = RunProgress.OfDownloadAsync,
        };
        // A run whose download is complete looks again what it needs.
        ingestDataset = ingestDataset with
        {
            Begins = new(
                downloadFile,
                RunState.Ingesting,
                RunState.Ingesting,
                catalog =>
                    catalog
                        .Runs.Where(run => run.State == RunState.Ingesting && run.IngestionKey == null)
                        .Join(
                            catalog.RunDependencies,
                            run => run.Id,
                            need => need.RunId,
                            (run, need) => new WaitingRun { RunId = run.Id, Scope = need.Scope }
                        )
                        .Where(waiting => catalog.Downloads.Any(download => download.Key == waiting.Scope))
            ),
        };
        var packImages = new RunStage<PackImages>((scope, step) => new PackImages(scope, step))
        {
            Service = Ingestion,
            Resource = Images,
            State = RunState.Ingesting,
            After = [ingestDataset, downloadFile],
            Makes =
            [
                new(
                    (catalog, path) =>
                        catalog
                            .PackedParts.Where(row => row.Pixels.Path == path || row.Records.Path == path)
                            .Select(row => new Maker { Scope = row.IngestionKey, Step = row.Part })
                )
                {
                    IsShared = true,
                },
            ],
            Measure = (catalog, run, token) =>
                RunProgress.OfJobsAsync(catalog, RunProgress.Packing, nameof(PackImages), run.IngestionKey, token),
        };
        var completeDataset = new RunStage<CompleteDataset>((scope, step) => new CompleteDataset(scope, step))
        {
            Service = Ingestion,
            Resource = Images,
            State = RunState.Ingesting,
            FollowsAllOf = packImages,
            Makes =
            [
                new((catalog, path) => catalog.Datasets.Where(row => row.Manifest.Path == path).Select(_ => new Maker { Step = 0 }))
                {
                    ScopeOfRun = runs => runs.Select(run => run.IngestionKey),
                    IsShared = true,
                },
            ],
        };
        var planFeatures = new RunStage<PlanFeatures>((scope, step) => new PlanFeatures(scope, step))
        {
            Service = Training,
            Resource = Tensors,
            State = RunState.Extracting,
            After = [completeDataset],
            Begins = new(
                completeDataset,
                RunState.Ingesting,
                RunState.Extracting,
                catalog =>
                    catalog
                        .Runs.Where(run => run.State == RunState.Ingesting && run.IngestionKey != null)
                        .Select(run => new WaitingRun { RunId = run.Id, Scope = run.IngestionKey! })
            )
            {
                Write = RunWrites.SetDatasetAsync,
                Log = RunLog.DatasetReadyAsync,
            },
            Makes =
            [
                new((catalog, path) => catalog.Runs.Where(row => row.Split!.Path == path).Select(_ => new Maker())),
                new((catalog, path) => catalog.Backbones.Where(row => row.File!.Path == path).Select(_ => new Maker())),
            ],
        };
        var extractFeatures = new RunStage<ExtractFeatures>((scope, step) => new ExtractFeatures(scope, step))
        {
            Service = Training,
            Resource = Tensors,
            State = RunState.Extracting,
            After = [planFeatures],
            Makes =
            [
                new(
                    (catalog, path) =>
                        catalog
                            .FeatureShards.Where(row => row.File.Path == path)
                            .Select(row => new Maker { Scope = row.FeatureSetKey, Step = row.Shard })
                )
                {
                    IsShared = true,
                },
            ],
            Measure = (catalog, run, token) =>
                RunProgress.OfJobsAsync(catalog, RunProgress.Extracting, nameof(ExtractFeatures), run.FeatureSetKey, token),
        };
        var trainHead = new RunStage<TrainHead>((scope, step) => new TrainHead(scope, step))
        {
            Service = Training,
            Resource = Tensors,
            State = RunState.Training,
            After = [extractFeatures],
            IsChain = true,
            Begins = new(
                extractFeatures,
                RunState.Extracting,
                RunState.Training,
                catalog =>
                    catalog
                        .Runs.Where(run => run.State == RunState.Extracting && run.FeatureSetKey != null && run.Model == null)
                        .Select(run => new WaitingRun { RunId = run.Id, Scope = run.FeatureSetKey! })
            )
            {
                Scopes = (catalog, runId) => catalog.Trials.Where(trial => trial.RunId == runId).Select(trial => trial.Scope),
                Log = RunLog.FeaturesReadyAsync,
            },
            Measure = RunProgress.OfTrainingAsync,
        };
        var evaluateHead = new RunStage<EvaluateHead>((scope, step) => new EvaluateHead(scope, step))
        {
            Service = Evaluation,
            Resource = Tensors,
            State = RunState.Evaluating,
            After = [trainHead],
            Begins = new(
                trainHead,
                RunState.Training,
                RunState.Evaluating,
                catalog =>
                    catalog
                        .WaitingFor(RunState.Training, nameof(TrainHead))
                        // Until the last of its trials is trained.
                        .Where(waiting =>
                            !catalog.Jobs.Any(job =>
                                job.Kind == nameof(TrainHead)
                                && job.State != JobState.Done
                                && catalog.Trials.Any(trial => trial.RunId == waiting.RunId && trial.Scope == job.Scope)
                            )
                        )
            )
            {
                Log = RunLog.HeadTrainedAsync,
            },
        };
        // A run that predicts with a model trains nothing.
        var predictDataset = new RunStage<PredictDataset>((scope, step) => new PredictDataset(scope, step))
        {
            Service = Evaluation,
            Resource = Tensors,
            State = RunState.Predicting,
            After = [extractFeatures],
            Begins = new(
                extractFeatures,
                RunState.Extracting,
                RunState.Predicting,
                catalog =>
                    catalog
                        .Runs.Where(run => run.State == RunState.Extracting && run.FeatureSetKey != null && run.Model != null)
                        .Select(run => new WaitingRun { RunId = run.Id, Scope = run.FeatureSetKey! })
            )
            {
                Log = RunLog.FeaturesReadyAsync,
            },
        };
        All = new JobStages([
            ingestDataset,
            downloadFile,
            packImages,
            completeDataset,
            planFeatures,
            extractFeatures,
            trainHead,
            evaluateHead,
            predictDataset,
        ]);
    }

    /// <summary>All stages.</summary>
    public static JobStages All { get; }

    /// <summary>The stage that a new run begins with.</summary>
    public static JobStage First => All.All[0];

    /// <summary>How far open runs are in their states; those where that is not measured are left out.</summary>
    public static Task<Dictionary<Guid, StageProgress>> MeasureAsync(
        CatalogContext catalog,
        IReadOnlyList<OpenRun> runs,
        CancellationToken cancellationToken
    ) => RunProgressList.MeasureAsync(catalog, runs, cancellationToken);

    /// <summary>How far an open run is in its state; null where that is not measured.</summary>
    public static async Task<StageProgress?> MeasureAsync(CatalogContext catalog, Run run, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        // The latest stage that has begun is measured.
        foreach (var stage in All.All.OfType<IRunStage>().Where(stage => stage.State == run.State).Reverse())
        {
            if (stage.Measure is { } measure && await measure(catalog, run, cancellationToken) is { } progress)
            {
                return progress;
            }
        }

        return null;
    }
}
