using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.Extensions.Logging;

namespace Distributed.Pipeline;

/// <summary>What a stage of the run pipeline is, beyond being a kind of job.</summary>
public interface IRunStage
{
    /// <summary>The state that a run is in while its jobs of this stage are done.</summary>
    RunState State { get; }

    /// <summary>What begins it for a run where another stage is done; null where a handler plans its jobs.</summary>
    RunTransition? Begins { get; }

    /// <summary>Which of its jobs made a file, so that the job can be requeued where the file is damaged.</summary>
    IReadOnlyList<MadeFile> Makes { get; }

    /// <summary>How far it is, for people; null where that is not measured.</summary>
    Func<CatalogContext, Run, CancellationToken, Task<StageProgress?>>? Measure { get; }
}

/// <summary>A stage of the run pipeline.</summary>
/// <typeparam name="TJob">Its message type; the stage's name is that of the type.</typeparam>
/// <param name="create">Makes the message from scope and step.</param>
public sealed record RunStage<TJob>(Func<string, int, TJob> create) : JobStage<TJob>(create), IRunStage
    where TJob : class, IJobMessage
{
    /// <inheritdoc />
    public required RunState State { get; init; }

    /// <inheritdoc />
    public RunTransition? Begins { get; init; }

    /// <inheritdoc />
    public IReadOnlyList<MadeFile> Makes { get; init; } = [];

    /// <inheritdoc />
    public Func<CatalogContext, Run, CancellationToken, Task<StageProgress?>>? Measure { get; init; }
}

/// <summary>A run waits until a scope is done.</summary>
public sealed class WaitingRun
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The scope.</summary>
    public required string Scope { get; init; }
}

/// <summary>
/// Runs that wait for a stage of another scope, and what they go on to when it is done. The move is one UPDATE of the run that names
/// the state it leaves, and the next stage's jobs are planned in the same transaction.
/// </summary>
/// <param name="After">The stage that is waited for.</param>
/// <param name="From">The state in which a run waits.</param>
/// <param name="To">
/// The state that it goes on to. Where it is the same, the run does not wait any more once <paramref name="Waiting"/> leaves it out, and one job more is planned each time.
/// </param>
/// <param name="Waiting">The runs that wait, with the scope of <paramref name="After"/> that each waits for (<see cref="RunsWaiting"/>).</param>
public sealed record RunTransition(JobStage After, RunState From, RunState To, Func<CatalogContext, IQueryable<WaitingRun>> Waiting)
{
    /// <summary>The scopes of the next stage's jobs; the run's own where null.</summary>
    public Func<CatalogContext, Guid, IQueryable<string>>? Scopes { get; init; }

    /// <summary>Writes what else belongs to the move, in its transaction.</summary>
    public Func<CatalogContext, WaitingRun, CancellationToken, Task>? Write { get; init; }

    /// <summary>Logs a run that was moved on, given its id and the time (UTC), after the commit.</summary>
    public Func<ILogger, CatalogContext, Guid, DateTime, CancellationToken, Task>? Log { get; init; }
}

/// <summary>The job that made a file.</summary>
public sealed class Maker
{
    /// <summary>Its scope; null where it depends on the run that reads the file (<see cref="MadeFile.ScopeOfRun"/>).</summary>
    public string? Scope { get; init; }

    /// <summary>Its step; null for the latest.</summary>
    public int? Step { get; init; }
}

/// <summary>A kind of file that a stage makes.</summary>
/// <param name="Find">The job that made the file with a path; none where it is not of this kind.</param>
public sealed record MadeFile(Func<CatalogContext, string, IQueryable<Maker>> Find)
{
    /// <summary>Where a maker has no scope: the scope, by the run that reads the file; the run's own where null.</summary>
    public Func<IQueryable<Run>, IQueryable<string?>>? ScopeOfRun { get; init; }

    /// <summary>Whether other runs may share the maker's scope, so that runs which need the file come to need it too.</summary>
    public bool IsShared { get; init; }
}

/// <summary>How far a stage is.</summary>
/// <param name="Stage">What is counted: bytes of a download, parts of images, shards of features, epochs, penalties.</param>
/// <param name="Done">Done so far.</param>
/// <param name="Total">In all, or at most where training may end early; null where it is not known beforehand, or nothing is counted.</param>
public sealed record StageProgress(string Stage, long Done, long? Total);
