using System.Diagnostics;
using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Heads;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.Training.Consumers;

/// <summary>Trains a head for one slice of time, saves its state, and hands on: to the next slice, or to evaluation.</summary>
internal sealed partial class TrainHeadConsumer(
    JobWorker worker,
    IDbContextFactory<CatalogContext> contexts,
    RunFlow runs,
    HeadData heads,
    Volume volume,
    TensorThread tensors,
    TensorDevice device,
    IOptions<TrainingOptions> options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<TrainHeadConsumer> logger
) : JobConsumer<TrainHead>(worker)
{
    // The run whose head this message has finished, to be told of when that is committed.
    private Run? _trained;

    /// <summary>A host that stops ends the slice after the step it is in, and saves what has been learnt.</summary>
    public override TimeSpan Grace => TimeSpan.FromSeconds(10);

    public override async Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        var slice = lease.Job.Step;
        var (run, specification) = await contexts.ReadRunAsync(lease.Job.RunId, cancellationToken);
        var (data, classNames) = await heads.LoadAsync(run, cancellationToken);
        var saved = await ReadStateAsync(run.Id, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        var outcome = await tensors.RunAsync(
            token =>
            {
                var state =
                    saved
                    ?? HeadTraining.Start(
                        Define(specification.Head),
                        Choose(specification, data, classNames.Count),
                        data,
                        classNames.Count
                    );
                var begun = Stopwatch.GetTimestamp();
                return state.Train(
                    data,
                    () => lifetime.ApplicationStopping.IsCancellationRequested || Stopwatch.GetElapsedTime(begun) >= options.Value.Slice,
                    token
                );
            },
            cancellationToken
        );
        var penalties = outcome.Epochs.Count(step => step.Penalty is not null);
        TrainingTelemetry.RecordSlice(outcome.Epochs.Count - penalties, penalties, Stopwatch.GetElapsedTime(started).TotalSeconds);

        var state = outcome.State;
        var last = await SaveAsync(run.Id, CheckpointKind.Last, lease, state.ToBytes(), cancellationToken);
        var best =
            state.BestEpoch < 0
                ? null
                : await SaveAsync(
                    run.Id,
                    CheckpointKind.Best,
                    lease,
                    state.ExportBest(await OriginAsync(run, classNames, cancellationToken)),
                    cancellationToken
                );
        var environment = JsonSerializer.Serialize(TorchEnvironment.Describe(device.Device), ContractJson.Strict);
        return async (context, token) =>
        {
            AddCheckpoint(context, run.Id, slice, CheckpointKind.Last, state.Epoch, last);
            if (best is not null)
            {
                AddCheckpoint(context, run.Id, slice, CheckpointKind.Best, state.BestEpoch + 1, best);
            }

            context.EpochMetrics.AddRange(outcome.Epochs.Select(epoch => ToMetric(run.Id, epoch)));
            await context
                .Runs.Where(row => row.Id == run.Id)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.Environment, environment), token);
            if (!state.Finished)
            {
                context.PlanJobs(JobKind.TrainHead, lease.Job.Scope, [slice + 1], run.TraceParent, Now());
            }
            else if (await runs.MoveAsync(context, run.Id, RunState.Training, RunState.Evaluating, token))
            {
                context.PlanJobs(JobKind.EvaluateHead, lease.Job.Scope, [0], run.TraceParent, Now());
                _trained = run;
            }
        };
    }

    public override Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _trained, null) is { } run)
        {
            using var scope = logger.BeginRun(run.Id, run.TraceParent);
            var seconds = Run.SecondsBetween(run.TrainingAt, Now());
            LogTrained(run.TrainImages, seconds);
        }

        return base.FollowUpAsync(job, cancellationToken);
    }

    private static HeadDefinition Define(HeadSpecification head) =>
        head.Kind == HeadKind.Linear ? HeadDefinition.Linear : new HeadDefinition(HeadKind.Mlp, [.. head.HiddenSizes], head.Dropout);

    private static HeadTrainingOptions Choose(RunSpecification specification, FeatureData data, int classes)
    {
        var training = specification.Training;
        if (training.Optimizer == HeadOptimizer.Adam)
        {
            return new AdamOptions(
                training.Epochs,
                training.BatchSize,
                training.LearningRate,
                training.WeightDecay,
                training.Patience,
                specification.Seed
            );
        }

        if (training.Penalties.Count == 0)
        {
            return new RegularisationPathOptions(
                data.Validation.Length > 0
                    ? RegularisationPathOptions.DefaultPenalties(classes)
                    : [RegularisationPathOptions.PenaltyWithoutValidation]
            );
        }

        return data.Validation.Length > 0 || training.Penalties.Count == 1
            ? new RegularisationPathOptions(training.Penalties)
            : throw new HeadTrainingException(
                $"training.penalties has {training.Penalties.Count} values, and there are no validation images to choose by. Give one value, or a validationFraction above 0."
            );
    }

    private static EpochMetric ToMetric(Guid runId, EpochMetrics epoch) =>
        new()
        {
            RunId = runId,
            Epoch = epoch.Epoch + 1,
            TrainLoss = epoch.TrainLoss,
            TrainAccuracy = epoch.TrainAccuracy,
            ValidationLoss = epoch.ValidationLoss,
            ValidationAccuracy = epoch.ValidationAccuracy,
            LearningRate = epoch.LearningRate ?? 0,
            Penalty = epoch.Penalty,
        };

    private void AddCheckpoint(CatalogContext context, Guid runId, int slice, CheckpointKind kind, int epoch, StoredFile file) =>
        context.Checkpoints.Add(
            new Checkpoint
            {
                RunId = runId,
                Slice = slice,
                Kind = kind,
                Epoch = epoch,
                File = file,
                CreatedAt = Now(),
            }
        );

    private Task<StoredFile> SaveAsync(
        Guid runId,
        CheckpointKind kind,
        JobLease lease,
        byte[] bytes,
        CancellationToken cancellationToken
    ) =>
        volume.WriteAsync(
            $"runs/{runId:D}/{kind.ToString().ToLowerInvariant()}-{lease.Job.Step:D5}.{lease.TokenText}.safetensors",
            (stream, token) => stream.WriteAsync(bytes, token).AsTask(),
            cancellationToken
        );

    /// <summary>The state to go on from: the slice before left it, or an earlier one where that one's file was damaged. Null to begin.</summary>
    private async Task<IHeadTrainingState?> ReadStateAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var checkpoint = await context
            .Checkpoints.AsNoTracking()
            .Where(row => row.RunId == runId && row.Kind == CheckpointKind.Last)
            .OrderByDescending(row => row.Slice)
            .FirstOrDefaultAsync(cancellationToken);
        return checkpoint is null
            ? null
            : HeadTraining.Resume(await volume.ReadAllBytesAsync(checkpoint.File, cancellationToken), checkpoint.File.Path);
    }

    private async Task<HeadOrigin> OriginAsync(Run run, IReadOnlyList<string> classNames, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var set = await context.FeatureSets.AsNoTracking().SingleAsync(row => row.Key == run.FeatureSetKey, cancellationToken);
        var backbone = await context.Backbones.AsNoTracking().SingleAsync(row => row.Sha256 == set.BackboneSha256, cancellationToken);
        return new HeadOrigin(
            classNames,
            backbone.Architecture,
            backbone.Sha256,
            set.Preprocessing,
            ChoiceName.Of(set.Precision),
            set.DatasetSha256
        );
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;

    [LoggerMessage(Level = LogLevel.Information, Message = "Head trained on {Images} images, after {Seconds:F1} s")]
    private partial void LogTrained(int? images, double? seconds);
}
