using System.Text.Json;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>One training of a head on a run's features, with settings of its own; the best trial's head is tested. Table <c>trials</c>.</summary>
public sealed class Trial
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Counted from 0.</summary>
    public required int Number { get; init; }

    /// <summary>The scope of its jobs.</summary>
    public required string Scope { get; init; }

    /// <summary>The <see cref="TrialSettings"/> as JSON.</summary>
    public required string Settings { get; init; }

    /// <summary>Mean cross-entropy of its best head on the validation split; null before there is one, and without such a split.</summary>
    public double? ValidationLoss { get; set; }

    /// <summary>Reads <see cref="Settings"/>.</summary>
    public TrialSettings ReadSettings()
    {
        // A part of a specification, so that what earlier versions wrote is understood as theirs is.
        var specification = ContractJson.Read(Settings);
        return new TrialSettings(specification.Head, specification.Training, specification.Seed);
    }

    /// <summary>A trial with the settings of a run's specification.</summary>
    public static Trial Of(Guid runId, int number, RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        return new Trial
        {
            RunId = runId,
            Number = number,
            Scope = JobKey.ScopeOf(runId, number),
            Settings = JsonSerializer.Serialize(
                new TrialSettings(specification.Head, specification.Training, specification.Seed),
                ContractJson.Strict
            ),
        };
    }
}

/// <summary>How a trial trains its head.</summary>
/// <param name="Head">The head.</param>
/// <param name="Training">The solver and its settings.</param>
/// <param name="Seed">Seed of random draws.</param>
public sealed record TrialSettings(HeadSpecification Head, TrainingSpecification Training, int Seed);

/// <summary>Loss and accuracy after one epoch of Adam, or at one penalty of Newton's method. Table <c>epoch_metrics</c>.</summary>
public sealed class EpochMetric
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The number of its trial.</summary>
    public required int Trial { get; init; }

    /// <summary>Counted from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Mean cross-entropy over the epoch's batches, as trained (with dropout).</summary>
    public required double TrainLoss { get; init; }

    /// <summary>Share classified rightly over the epoch's batches; 0 to 1.</summary>
    public required double TrainAccuracy { get; init; }

    /// <summary>Mean cross-entropy on the validation split; absent without one.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Share of the validation split classified rightly; absent without one.</summary>
    public double? ValidationAccuracy { get; init; }

    /// <summary>Step size of an epoch by Adam; 0 on a path of penalties.</summary>
    public required double LearningRate { get; init; }

    /// <summary>L2 penalty on a path of penalties, each of which counts as an epoch; absent by Adam.</summary>
    public double? Penalty { get; init; }
}

/// <summary>What a checkpoint is for.</summary>
public enum CheckpointKind
{
    /// <summary>The trainer's whole state, to go on from.</summary>
    Last,

    /// <summary>The head with the best validation score, to evaluate and use.</summary>
    Best,
}

/// <summary>A head on the volume. Table <c>checkpoints</c>.</summary>
public sealed class Checkpoint
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The number of its trial.</summary>
    public required int Trial { get; init; }

    /// <summary>The training slice that wrote it.</summary>
    public required int Slice { get; init; }

    /// <summary>What it is for.</summary>
    public required CheckpointKind Kind { get; init; }

    /// <summary>The epoch it stands in.</summary>
    public required int Epoch { get; init; }

    /// <summary>The file.</summary>
    public required StoredFile File { get; init; }

    /// <summary>When it was written (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}
