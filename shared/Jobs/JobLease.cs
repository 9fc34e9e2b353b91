namespace Distributed.Jobs;

/// <summary>The right to work on a job and to commit it.</summary>
/// <param name="Job">The job.</param>
/// <param name="Id">Its row.</param>
/// <param name="Token">The attempt; also part of the names of files it writes.</param>
public sealed record JobLease(JobKey Job, long Id, Guid Token)
{
    /// <summary>The run that it is done for; where several need it, the one that was accepted first.</summary>
    public Guid RunId { get; init; }

    /// <summary>The W3C trace context that its message was sent in; jobs that it plans have the same.</summary>
    public string? TraceParent { get; init; }

    /// <summary>How often the work was begun under this lease before: after an outage it begins again.</summary>
    public int Repetition { get; init; }

    /// <summary>
    /// The token as it stands in file names: 32 hexadecimal digits, and <c>-N</c> for a repetition, which may find files of the time before.
    /// </summary>
    public string TokenText => Repetition == 0 ? $"{Token:N}" : $"{Token:N}-{Repetition}";
}

/// <summary>The result of claiming a job.</summary>
public enum ClaimOutcome
{
    /// <summary>The caller holds it.</summary>
    Claimed,

    /// <summary>It is committed already; only what follows may be unplanned.</summary>
    Done,

    /// <summary>Another worker holds it.</summary>
    Held,

    /// <summary>No open run needs it, or it has failed.</summary>
    Closed,

    /// <summary>It has just failed, and its runs with it: it has been attempted too often without progress.</summary>
    Poisoned,

    /// <summary>There is no such job.</summary>
    Unknown,
}

/// <summary>The result of claiming a job.</summary>
/// <param name="Outcome">The result.</param>
/// <param name="Lease">The right to work, when claimed.</param>
public sealed record JobClaim(ClaimOutcome Outcome, JobLease? Lease = null)
{
    /// <summary>Whether, when claimed, it was reclaimed from a worker that died or fell silent.</summary>
    public bool IsReclaimed { get; init; }
}
