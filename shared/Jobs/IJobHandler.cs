using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>What a job found out, to be written in the transaction that marks it done.</summary>
public sealed class JobWrite
{
    private readonly Func<JobsContext, CancellationToken, Task> _write;

    private JobWrite(Func<JobsContext, CancellationToken, Task> write) => _write = write;

    /// <summary>Writes nothing but that the job is done.</summary>
    public static JobWrite Nothing { get; } = new((_, _) => Task.CompletedTask);

    /// <summary>Writes to a system's own context.</summary>
    /// <param name="write">Adds rows and runs updates. May be called more than once, with a fresh context each time.</param>
    public static JobWrite To<TContext>(Func<TContext, CancellationToken, Task> write)
        where TContext : JobsContext => new((context, cancellationToken) => write((TContext)context, cancellationToken));

    internal Task RunAsync(JobsContext context, CancellationToken cancellationToken) => _write(context, cancellationToken);
}

/// <summary>Does the jobs of one stage. It knows nothing of leases, outages or messages; registered by its stage's message type.</summary>
/// <typeparam name="TJob">The stage's message type.</typeparam>
public interface IJobHandler<in TJob>
    where TJob : class, IJobMessage
{
    /// <summary>
    /// How long work that ends early by itself when the host stops, and keeps what it has done, is given to do so; zero for
    /// work that is released and begun again elsewhere.
    /// </summary>
    TimeSpan Grace => TimeSpan.Zero;

    /// <summary>Does the work; changes nothing in the database.</summary>
    /// <param name="job">What is to be done.</param>
    /// <param name="lease">The right to do it, with the attempt's token.</param>
    /// <param name="cancellationToken">Cancelled when the job is lost, its run is over or the host shuts down.</param>
    /// <returns>What to write.</returns>
    Task<JobWrite> ExecuteAsync(TJob job, JobLease lease, CancellationToken cancellationToken);
}
