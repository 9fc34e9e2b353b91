using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>Decides when a job that was delivered to this host is begun here: when the host has shown that it can do it, and its resource is free.</summary>
public sealed class JobAdmission(
    HostChecks checks,
    PriorityLimiter limiter,
    JobOutbox outbox,
    JobDispatcher dispatcher,
    OutageRetry outages,
    JobOptions options
)
{
    /// <summary>Waits until a job may be begun.</summary>
    /// <returns>The slot, to be disposed when the job has ended; null where it is not begun here: then its message is sent again.</returns>
    public async Task<IDisposable?> EnterAsync(JobKey job, string resource, RunPriority priority, CancellationToken cancellationToken)
    {
        await checks.PassedAsync(resource).WaitAsync(cancellationToken);
        var timeout = priority == RunPriority.Interactive ? Timeout.InfiniteTimeSpan : options.BulkTimeout;
        var slot = await limiter.EnterAsync(resource, priority, timeout, cancellationToken);
        // Behind the others in its queue. Where it is begun or over already, the message was one too many.
        if (slot is null && await outages.RunAsync(token => outbox.ClaimAgainAsync(job, token), cancellationToken) is { } row)
        {
            await outages.RunAsync(token => dispatcher.SendAsync(row, token), cancellationToken);
        }

        return slot;
    }
}
