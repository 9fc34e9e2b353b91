using System.Diagnostics;
using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Heads;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Distributed.Training.Handlers;

/// <summary>Trains the head of a trial for one slice of time, saves its state, and plans the next slice unless it was the last.</summary>
internal sealed class TrainHeadHandler(
    IDbContextFactory<CatalogContext> contexts,
    HeadData heads,
    Volume volume,
    TensorThread tensors,
    TensorDevice device,
    IOptions<TrainingOptions> options,
    IHostApplicationLifetime lifetime,
    TimeProvider time
) : IJobHandler<TrainHead>
{
    /// <summary>A host that stops ends the slice after the step it is in, and saves what has been learnt.</summary>
    public TimeSpan Grace => TimeSpan.FromSeconds(10);

    public async Task<JobWrite> ExecuteAsync(TrainHead job, JobLease lease, CancellationToken cancellationToken)
    {
        var slice = job.Step;
        var (run, _) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var trial = await FindTrialAsync(job.Scope, cancellationToken);
        var settings = trial.ReadSettings();
        var (data, classNames) = await heads.LoadAsync(run, settings.Training.Optimizer, cancellationToken);
        var saved = await ReadStateAsync(trial, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        var outcome = await tensors.RunAsync(
            token =>
            {
                var state =
                    saved
                    ?? HeadTraining.Start(
                        Solver.Define(settings.Head),
                        Solver.Choose(settings, data, classNames.Count),
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
        TrainingTelemetry.RecordSlice(
            ChoiceName.Of(settings.Training.Optimizer),
            outcome.Epochs.Count - penalties,
            penalties,
            Stopwatch.GetElapsedTime(started).TotalSeconds
        );

        var state = outcome.State;
        var last = await SaveAsync(trial, CheckpointKind.Last, lease, state.ToBytes(), cancellationToken);
        var best =
            state.BestEpoch < 0
                ? null
                : await SaveAsync(
                    trial,
                    CheckpointKind.Best,
                    lease,
                    state.ExportBest(await OriginAsync(run, classNames, cancellationToken)),
                    cancellationToken
                );
        var environment = JsonSerializer.Serialize(TorchEnvironment.Describe(device.Device), ContractJson.Strict);
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                AddCheckpoint(context, trial, slice, CheckpointKind.Last, state.Epoch, last);
                if (best is not null)
                {
                    AddCheckpoint(context, trial, slice, CheckpointKind.Best, state.BestEpoch + 1, best);
                }

                context.EpochMetrics.AddRange(outcome.Epochs.Select(epoch => ToMetric(trial, epoch)));
                await context
                    .Runs.Where(row => row.Id == run.Id)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.Environment, environment), token);
                if (outcome.Epochs.FirstOrDefault(epoch => epoch.Epoch == state.BestEpoch) is { ValidationLoss: { } loss })
                {
                    await context
                        .Trials.Where(row => row.RunId == trial.RunId && row.Number == trial.Number)
                        .ExecuteUpdateAsync(row => row.SetProperty(t => t.ValidationLoss, loss), token);
                }

                if (!state.Finished)
                {
                    context.PlanNextSlice(lease, Now());
                }
            }
        );
    }

    private static EpochMetric ToMetric(Trial trial, EpochMetrics epoch) =>
        new()
        {
            RunId = trial.RunId,
            Trial = trial.Number,
            Epoch = epoch.Epoch + 1,
            TrainLoss = epoch.TrainLoss,
            TrainAccuracy = epoch.TrainAccuracy,
            ValidationLoss = epoch.ValidationLoss,
            ValidationAccuracy = epoch.ValidationAccuracy,
            LearningRate = epoch.LearningRate ?? 0,
            Penalty = epoch.Penalty,
        };

    private void AddCheckpoint(CatalogContext context, Trial trial, int slice, CheckpointKind kind, int epoch, StoredFile file) =>
        context.Checkpoints.Add(
            new Checkpoint
            {
                RunId = trial.RunId,
                Trial = trial.Number,
                Slice = slice,
                Kind = kind,
                Epoch = epoch,
                File = file,
                CreatedAt = Now(),
            }
        );

    private Task<StoredFile> SaveAsync(
        Trial trial,
        CheckpointKind kind,
        JobLease lease,
        byte[] bytes,
        CancellationToken cancellationToken
    ) =>
        volume.WriteAsync(
            $"runs/{trial.RunId:D}/trial-{trial.Number}/"
                + $"{kind.ToString().ToLowerInvariant()}-{lease.Job.Step:D5}.{lease.TokenText}.safetensors",
            (stream, token) => stream.WriteAsync(bytes, token).AsTask(),
            cancellationToken
        );

    /// <summary>The state to go on from: the slice before left it, or an earlier one where that one's file was damaged. Null to begin.</summary>
    private async Task<IHeadTrainingState?> ReadStateAsync(Trial trial, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var checkpoint = await context
            .Checkpoints.AsNoTracking()
            .Where(row => row.RunId == trial.RunId && row.Trial == trial.Number && row.Kind == CheckpointKind.Last)
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

    private async Task<Trial> FindTrialAsync(string scope, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Trials.AsNoTracking().SingleAsync(trial => trial.Scope == scope, cancellationToken);
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
