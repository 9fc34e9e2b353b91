namespace Distributed.Jobs;

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome
{
    /// <summary>It committed its job.</summary>
    Done,

    /// <summary>It released the job unharmed, as a host that shuts down does.</summary>
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
