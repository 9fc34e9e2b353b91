namespace Distributed.Catalog;

/// <summary>Which states are open, and which final.</summary>
public static class RunStates
{
    /// <summary>States in which work may still be done.</summary>
    public static IReadOnlyList<RunState> Open { get; } =
    [RunState.Submitted, RunState.Ingesting, RunState.Extracting, RunState.Training, RunState.Evaluating];

    /// <summary>Whether nothing will change any more.</summary>
    public static bool IsFinal(this RunState state) => !Open.Contains(state);
}
