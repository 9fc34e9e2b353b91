using Distributed.Contracts;

namespace Distributed.Catalog;

/// <summary>The kinds of job, one message type and one queue each.</summary>
public enum JobKind
{
    /// <summary>Find a run's data set and weights. Scope: run.</summary>
    IngestDataset,

    /// <summary>Fetch a slice of a file. Scope: download.</summary>
    DownloadFile,

    /// <summary>Pack a range of images. Scope: ingestion.</summary>
    PackImages,

    /// <summary>Write a data set's manifest. Scope: ingestion.</summary>
    CompleteDataset,

    /// <summary>Plan a run's features. Scope: run.</summary>
    PlanFeatures,

    /// <summary>Compute a shard of features. Scope: feature set.</summary>
    ExtractFeatures,

    /// <summary>Train a head for a slice of time. Scope: run.</summary>
    TrainHead,

    /// <summary>Test a trained head. Scope: run.</summary>
    EvaluateHead,
}

/// <summary>Where a job is.</summary>
public enum JobState
{
    /// <summary>Waits to be started.</summary>
    Pending,

    /// <summary>An attempt holds it, as long as its lease lasts.</summary>
    Running,

    /// <summary>Committed.</summary>
    Done,

    /// <summary>Given up; the runs that needed it have failed.</summary>
    Failed,

    /// <summary>A file that it reads is damaged and is being made again by an earlier job; see <see cref="FileRecovery"/>.</summary>
    Blocked,
}

/// <summary>Names a job.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Scope">What it is done for.</param>
/// <param name="Step">Which slice, range or shard; from 0.</param>
public sealed record JobKey(JobKind Kind, string Scope, int Step)
{
    /// <summary>The scope of a run's own jobs.</summary>
    public static string ScopeOf(Guid runId) => runId.ToString("D");

    /// <summary>Whether it is a run's own job, rather than one that runs share.</summary>
    public bool IsOfRun => Kind is JobKind.IngestDataset or JobKind.PlanFeatures or JobKind.TrainHead or JobKind.EvaluateHead;

    /// <summary>The run of a run's own job.</summary>
    public Guid RunId => Guid.ParseExact(Scope, "D");

    /// <inheritdoc />
    public override string ToString() => $"{Kind} {Scope} #{Step}";
}

/// <summary>
/// One short job and who holds it. The row is the fence: whoever starts, holds, commits or releases a job does
/// so by one guarded UPDATE of it. Table <c>jobs</c>.
/// </summary>
public sealed class Job
{
    /// <summary>Surrogate key.</summary>
    public long Id { get; init; }

    /// <summary>What is done.</summary>
    public required JobKind Kind { get; init; }

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

    /// <summary>Attempts that were started and neither committed nor released cleanly.</summary>
    public int Attempts { get; set; }

    /// <summary>What the latest failed attempt died of, where it could tell.</summary>
    public string? LastError { get; set; }

    /// <summary>When its message was last sent (UTC, database clock); null when it was not.</summary>
    public DateTime? DispatchedAt { get; set; }

    /// <summary>When it was planned (UTC).</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>W3C trace context its message is sent in.</summary>
    public string? TraceParent { get; set; }

    /// <summary>Which queue its message goes to. Not stored: told by the runs that need it when it is read to be sent.</summary>
    public RunPriority Priority { get; set; }
}

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome
{
    /// <summary>It committed its job.</summary>
    Done,

    /// <summary>The job was given back unharmed, as by a host that shuts down.</summary>
    Released,

    /// <summary>An error ended it, and the job may be tried again.</summary>
    Retried,

    /// <summary>An error ended it, and the job with it.</summary>
    Failed,

    /// <summary>It met with a damaged file, which is recomputed before the job is tried again.</summary>
    Blocked,

    /// <summary>The job was no longer its own when it ended: another attempt holds it, or no open run needs it.</summary>
    Lost,
}

/// <summary>One try at a job. Table <c>attempts</c>.</summary>
public sealed class Attempt
{
    /// <summary>The token.</summary>
    public required Guid Token { get; init; }

    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>Which process tried.</summary>
    public required string Worker { get; init; }

    /// <summary>When it was started (UTC).</summary>
    public required DateTime StartedAt { get; init; }

    /// <summary>When it ended (UTC); null while it runs, and for ever when its process was killed.</summary>
    public DateTime? EndedAt { get; set; }

    /// <summary>Its span, as W3C trace context, to which the spans of what follows link; null where nobody traced it.</summary>
    public string? Span { get; init; }

    /// <summary>How it ended; null while it runs, and for ever when its process was killed.</summary>
    public AttemptOutcome? Outcome { get; set; }

    /// <summary>The error that ended it, in words; null where none did.</summary>
    public string? Error { get; set; }

    /// <summary>The outage that it waits for, in words; null where it waits for none.</summary>
    public string? WaitingFor { get; set; }
}
