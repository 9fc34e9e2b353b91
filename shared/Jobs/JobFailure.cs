namespace Distributed.Jobs;

/// <summary>What a run failed for.</summary>
public enum FailureCause
{
    /// <summary>Its specification, its images or its weights.</summary>
    Input,

    /// <summary>A file of the volume that is damaged or missing, and cannot be recomputed.</summary>
    DamagedFile,

    /// <summary>A job that was attempted too often without progress.</summary>
    Attempts,

    /// <summary>Its own time limit.</summary>
    TimeLimit,

    /// <summary>A mistake of the program: what follows a job could not be found.</summary>
    Internal,
}

/// <summary>Why a job fails, and with it the runs that need it.</summary>
/// <param name="Cause">For programs.</param>
/// <param name="Reason">For people: what is wrong, and what to do.</param>
public sealed record JobFailure(FailureCause Cause, string Reason);
