using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Releases a job that was not done, so that the next worker need not wait for its lease to lapse.</summary>
public sealed partial class JobRelease(JobStore store, JobDispatcher dispatcher, OutageRetry outages, ILogger<JobRelease> logger)
{
    /// <summary>Longer than it takes where nothing is wrong, and shorter than the host's own grace period.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Releases a job at shutdown, and sends its message again; what is not sent in time, the watchdog sends.</summary>
    public async Task ReleaseAsync(JobLease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        using var grace = new CancellationTokenSource(Grace);
        try
        {
            await store.ReleaseAsync(lease, grace.Token);
            await dispatcher.SendAsync([lease.Job.Scope], again: false, grace.Token);
        }
        catch (Exception exception)
        {
            LogNotReleased(exception, lease.Job);
        }
    }

    /// <summary>Releases a job that is not this attempt's any more, or that no run needs; nothing where another worker holds it.</summary>
    /// <returns>How the attempt ended, for telemetry.</returns>
    public async Task<string> ReleaseLostAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        LogLost(lease.Job);
        try
        {
            return await outages.RunAsync(token => store.ReleaseAsync(lease, token), cancellationToken)
                ? JobTelemetry.Cancelled
                : JobTelemetry.Lost;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // A frozen worker that wakes up learns of both at once: that it lost the job, and that the broker has hung up.
            await ReleaseAsync(lease);
            return JobTelemetry.Lost;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} was claimed by another worker or is not needed any more")]
    private partial void LogLost(JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} could not be released at shutdown; its lease will lapse")]
    private partial void LogNotReleased(Exception exception, JobKey job);
}
