using System.Linq.Expressions;
using Distributed.Contracts;

namespace Distributed.Catalog;

/// <summary>A state on a run's way, and the column that says when the run entered it.</summary>
/// <param name="State">The state.</param>
/// <param name="EnteredAt">The column (UTC); null in the row until the run gets there.</param>
public sealed record RunStateEntry(RunState State, Expression<Func<Run, DateTime?>> EnteredAt)
{
    /// <summary>Reads the column of a run.</summary>
    public Func<Run, DateTime?> At { get; } = EnteredAt.Compile();
}

/// <summary>The states on a run's way, in their order, and which are open.</summary>
public static class RunStates
{
    /// <summary>The states on a run's way.</summary>
    public static IReadOnlyList<RunStateEntry> Entered { get; } =
    [
        new(RunState.Submitted, run => run.SubmittedAt),
        new(RunState.Ingesting, run => run.IngestingAt),
        new(RunState.Comparing, run => run.ComparingAt),
        new(RunState.Extracting, run => run.ExtractingAt),
        new(RunState.Training, run => run.TrainingAt),
        new(RunState.Evaluating, run => run.EvaluatingAt),
        new(RunState.Predicting, run => run.PredictingAt),
    ];

    /// <summary>States in which work may still be done.</summary>
    public static IReadOnlyList<RunState> Open { get; } = [.. Entered.Select(entry => entry.State)];

    /// <summary>Whether nothing will change any more.</summary>
    public static bool IsFinal(this RunState state) => !Open.Contains(state);
}
