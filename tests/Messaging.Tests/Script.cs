using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Messaging.Tests;

/// <summary>What the test's consumers do, and what they were asked to do.</summary>
internal sealed class Script
{
    public static readonly UnitWrite Nothing = (_, _) => Task.CompletedTask;

    /// <summary>The work of a unit; <see cref="Nothing"/> when not said.</summary>
    public Func<UnitLease, CancellationToken, Task<UnitWrite>> Execute { get; set; } = (_, _) => Task.FromResult(Nothing);

    /// <summary>What follows; the unit's own subject when not said.</summary>
    public Func<UnitKey, Task<IReadOnlyList<string>>> FollowUp { get; set; } =
        unit => Task.FromResult<IReadOnlyList<string>>([unit.Subject]);

    /// <summary>How long work is given when the host stops.</summary>
    public TimeSpan Grace { get; set; }

    public ConcurrentQueue<UnitLease> Executions { get; } = [];

    public ConcurrentQueue<UnitKey> FollowUps { get; } = [];

    public Task<UnitWrite> ExecuteAsync(UnitLease lease, CancellationToken cancellationToken)
    {
        Executions.Enqueue(lease);
        return Execute(lease, cancellationToken);
    }

    public Task<IReadOnlyList<string>> FollowUpAsync(UnitKey unit)
    {
        FollowUps.Enqueue(unit);
        return FollowUp(unit);
    }
}

internal sealed class ScriptedTraining(UnitWorker worker, Script script) : UnitConsumer<TrainHead>(worker)
{
    public override TimeSpan Grace => script.Grace;

    public override Task<UnitWrite> ExecuteAsync(UnitLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);

    public override Task<IReadOnlyList<string>> FollowUpAsync(UnitKey unit, CancellationToken cancellationToken) =>
        script.FollowUpAsync(unit);
}

internal sealed class ScriptedExtraction(UnitWorker worker, Script script) : UnitConsumer<ExtractFeatures>(worker)
{
    public override Task<UnitWrite> ExecuteAsync(UnitLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);

    public override Task<IReadOnlyList<string>> FollowUpAsync(UnitKey unit, CancellationToken cancellationToken) =>
        script.FollowUpAsync(unit);
}
