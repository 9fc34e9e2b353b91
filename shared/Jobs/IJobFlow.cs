namespace Distributed.Jobs;

/// <summary>Finds what follows from jobs that are done. <see cref="JobFlow"/> does it within a scope; a system adds what crosses scopes.</summary>
public interface IJobFlow
{
    /// <summary>Completes when the database can be used.</summary>
    Task Ready => Task.CompletedTask;

    /// <summary>Plans what follows from a job that is done. Harmless to repeat.</summary>
    /// <returns>Scopes that may have jobs to send.</returns>
    Task<IReadOnlyList<string>> ScheduleNextAsync(JobKey job, CancellationToken cancellationToken);

    /// <summary>Requeues jobs that waited for recomputed data: nothing that comes before them is left to do for the runs that need them.</summary>
    /// <returns>Scopes that have jobs to send.</returns>
    Task<IReadOnlyList<string>> UnblockAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Plans what follows from everything that open runs wait for: a worker may have died between the commit of a job and its
    /// <see cref="ScheduleNextAsync"/>, and where no broker redelivers its message, nobody else would.
    /// </summary>
    /// <returns>Scopes that may have jobs to send.</returns>
    Task<IReadOnlyList<string>> ReconcileAsync(CancellationToken cancellationToken);
}

/// <summary>Has what a job could not read recomputed.</summary>
public interface IJobRecovery
{
    /// <summary>Whether an error is that of damaged or missing data.</summary>
    bool IsDamage(Exception exception);

    /// <summary>Requeues the jobs that made what the error names, and blocks or requeues the job that met it.</summary>
    /// <param name="lease">The right to the job.</param>
    /// <param name="exception">An error for which <see cref="IsDamage"/> is true.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>Scopes that have jobs to send; null where nothing can recompute the data: then the job is still held.</returns>
    Task<IReadOnlyList<string>?> RecoverAsync(JobLease lease, Exception exception, CancellationToken cancellationToken);
}

/// <summary>Publishes that runs have ended.</summary>
public interface ICompletionPublisher
{
    /// <summary>Publishes what has not been published yet. Harmless to repeat.</summary>
    Task PublishAsync(CancellationToken cancellationToken);
}
