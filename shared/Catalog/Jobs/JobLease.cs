namespace Distributed.Catalog;

/// <summary>The right to work on a job and to commit it.</summary>
/// <param name="Job">The job.</param>
/// <param name="Id">Its row.</param>
/// <param name="Token">The attempt; also part of the names of files it writes.</param>
public sealed record JobLease(JobKey Job, long Id, Guid Token)
{
    /// <summary>The run that it is done for; where several need it, the one that was submitted first.</summary>
    public Guid RunId { get; init; }

    /// <summary>How often the work was begun under this lease before: after an outage it begins anew.</summary>
    public int Repetition { get; init; }

    /// <summary>
    /// The token as it stands in file names: 32 hexadecimal digits, and <c>-N</c> for a repetition, which may find files of the time before.
    /// </summary>
    public string TokenText => Repetition == 0 ? $"{Token:N}" : $"{Token:N}-{Repetition}";
}

/// <summary>What came of the attempt to start a job.</summary>
public enum ClaimOutcome
{
    /// <summary>The caller holds it.</summary>
    Claimed,

    /// <summary>It is committed already; only its follow-up may be missing.</summary>
    Done,

    /// <summary>Somebody else holds it.</summary>
    Held,

    /// <summary>No open run needs it, or it was given up.</summary>
    Closed,

    /// <summary>It was just given up, and its runs with it: it has been started too often without progress.</summary>
    Poisoned,

    /// <summary>There is no such job.</summary>
    Unknown,
}

/// <summary>What came of the attempt to start a job.</summary>
/// <param name="Outcome">What came of it.</param>
/// <param name="Lease">The right to work, when started.</param>
public sealed record JobClaim(ClaimOutcome Outcome, JobLease? Lease = null)
{
    /// <summary>Whether, when started, it was taken over from a worker that died of it or fell silent.</summary>
    public bool IsReclaimed { get; init; }
}
