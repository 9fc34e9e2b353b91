using Distributed.Contracts;

namespace Distributed.Catalog;

/// <summary>The kinds of unit, one message type and one queue each.</summary>
public enum UnitKind
{
    /// <summary>Find a run's data set and weights. Subject: run.</summary>
    IngestDataset,

    /// <summary>Fetch a slice of a file. Subject: download.</summary>
    DownloadFile,

    /// <summary>Pack a range of images. Subject: ingestion.</summary>
    PackImages,

    /// <summary>Write a data set's manifest. Subject: ingestion.</summary>
    CompleteDataset,

    /// <summary>Plan a run's features. Subject: run.</summary>
    PlanFeatures,

    /// <summary>Compute a shard of features. Subject: feature set.</summary>
    ExtractFeatures,

    /// <summary>Train a head for a slice of time. Subject: run.</summary>
    TrainHead,

    /// <summary>Test a trained head. Subject: run.</summary>
    EvaluateHead,
}

/// <summary>Where a unit is.</summary>
public enum UnitState
{
    /// <summary>Waits to be started.</summary>
    Pending,

    /// <summary>An attempt holds it, as long as its lease lasts.</summary>
    Running,

    /// <summary>Committed.</summary>
    Done,

    /// <summary>Given up; the runs that needed it have failed.</summary>
    Failed,

    /// <summary>A file that it reads is damaged and is being made again by an earlier unit; see <see cref="FileRecovery"/>.</summary>
    Waiting,
}

/// <summary>Names a unit.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Subject">What it is done for.</param>
/// <param name="Step">Which slice, range or shard; from 0.</param>
public sealed record UnitKey(UnitKind Kind, string Subject, int Step)
{
    /// <summary>The subject of a run's own units.</summary>
    public static string SubjectOf(Guid runId) => runId.ToString("D");

    /// <summary>Whether it is a run's own unit, rather than one that runs share.</summary>
    public bool IsOfRun => Kind is UnitKind.IngestDataset or UnitKind.PlanFeatures or UnitKind.TrainHead or UnitKind.EvaluateHead;

    /// <summary>The run of a run's own unit.</summary>
    public Guid RunId => Guid.ParseExact(Subject, "D");

    /// <inheritdoc />
    public override string ToString() => $"{Kind} {Subject} #{Step}";
}

/// <summary>
/// One short unit of work and who holds it. The row is the fence: whoever starts, holds, commits or releases a unit does
/// so by one guarded UPDATE of it. Table <c>work_units</c>.
/// </summary>
public sealed class WorkUnit
{
    /// <summary>Surrogate key.</summary>
    public long Id { get; init; }

    /// <summary>What is done.</summary>
    public required UnitKind Kind { get; init; }

    /// <summary>What it is done for.</summary>
    public required string Subject { get; init; }

    /// <summary>Which slice, range or shard.</summary>
    public required int Step { get; init; }

    /// <summary>Where it is.</summary>
    public UnitState State { get; set; }

    /// <summary>Token of the latest attempt; only its holder may commit.</summary>
    public Guid? Attempt { get; set; }

    /// <summary>Until when, by the database's clock, the attempt holds the unit without a further sign of life.</summary>
    public DateTime? LeaseUntil { get; set; }

    /// <summary>Attempts that were started and neither committed nor released cleanly.</summary>
    public int Starts { get; set; }

    /// <summary>What the latest failed attempt died of, where it could tell.</summary>
    public string? LastError { get; set; }

    /// <summary>When its message was last sent (UTC, database clock); null when it was not.</summary>
    public DateTime? SentAt { get; set; }

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
    /// <summary>It committed its unit.</summary>
    Done,

    /// <summary>The unit was given back unharmed, as by a host that shuts down.</summary>
    Released,

    /// <summary>An error ended it, and the unit may be tried again.</summary>
    Retried,

    /// <summary>An error ended it, and the unit with it.</summary>
    Failed,

    /// <summary>It met with a damaged file, which is recomputed before the unit is tried again.</summary>
    Blocked,

    /// <summary>The unit was no longer its own when it ended: another attempt holds it, or no open run needs it.</summary>
    Lost,
}

/// <summary>One try at a unit. Table <c>attempts</c>.</summary>
public sealed class Attempt
{
    /// <summary>The token.</summary>
    public required Guid Token { get; init; }

    /// <summary>The unit.</summary>
    public required long UnitId { get; init; }

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
