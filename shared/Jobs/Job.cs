using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>Where a job is.</summary>
public enum JobState
{
    /// <summary>It waits to be claimed.</summary>
    Pending,

    /// <summary>An attempt holds it, as long as its lease lasts.</summary>
    Running,

    /// <summary>Committed.</summary>
    Done,

    /// <summary>It failed for good; the runs that needed it have failed.</summary>
    Failed,

    /// <summary>What it reads is damaged and is being recomputed by an earlier job; see <see cref="IJobRecovery"/>.</summary>
    Blocked,
}

/// <summary>
/// One short job and who holds it. The row is the fence: a job is claimed, extended, committed and released by one guarded
/// UPDATE of it. Table <c>jobs</c>.
/// </summary>
public sealed class Job
{
    /// <summary>Surrogate key.</summary>
    public long Id { get; init; }

    /// <summary>What is done: the name of the stage's message type.</summary>
    public required string Kind { get; init; }

    /// <summary>What it is done for.</summary>
    public required string Scope { get; init; }

    /// <summary>Which slice, range or shard.</summary>
    public required int Step { get; init; }

    /// <summary>Where it is.</summary>
    public JobState State { get; set; }

    /// <summary>Token of the latest attempt; only its holder may commit.</summary>
    public Guid? Attempt { get; set; }

    /// <summary>Until when, by the database's clock, the attempt holds the job without a further sign of life.</summary>
    public DateTime? LeaseUntil { get; set; }

    /// <summary>Attempts that neither committed it nor released it cleanly.</summary>
    public int Attempts { get; set; }

    /// <summary>The error of the latest failed attempt, where it could report one.</summary>
    public string? LastError { get; set; }

    /// <summary>When its message was last sent (UTC, database clock); null when it was not.</summary>
    public DateTime? DispatchedAt { get; set; }

    /// <summary>When it was planned (UTC).</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>W3C trace context its message is sent in.</summary>
    public string? TraceParent { get; set; }

    /// <summary>Which queue its message goes to. Not stored: it follows from the runs that need it when the job is read to be sent.</summary>
    public RunPriority Priority { get; set; }
}
