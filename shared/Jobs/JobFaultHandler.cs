using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>
/// Ends an attempt that threw: an error of this worker releases the job and ends the host, damaged data is recomputed, a permanent
/// error fails the runs, and any other is retried.
/// </summary>
public sealed partial class JobFaultHandler(
    JobStages stages,
    JobErrors errors,
    HostChecks checks,
    FailFast failFast,
    JobStore store,
    JobRelease release,
    JobContinuation continuation,
    OutageRetry outages,
    IHostApplicationLifetime lifetime,
    ILogger<JobFaultHandler> logger,
    IJobRecovery? recovery = null
)
{
    /// <summary>Ends an attempt. Before a job counts as failed, this host shows that the error was not its own.</summary>
    /// <param name="lease">The right to the job.</param>
    /// <param name="exception">What the attempt threw.</param>
    /// <param name="stoppingToken">Cancelled when the host stops and its grace is over.</param>
    /// <returns>How the attempt ended, for telemetry.</returns>
    public async Task<string> EndAsync(JobLease lease, Exception exception, CancellationToken stoppingToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        try
        {
            if (errors.IsOfWorker(exception))
            {
                return await FailFastAsync(lease, exception.Message, exception);
            }

            if (await checks.RepeatAsync(stages.For(lease.Job.Kind).Resource, stoppingToken) is { } found)
            {
                return await FailFastAsync(lease, found.Reason, exception);
            }
        }
        catch (OperationCanceledException)
            when (lifetime.ApplicationStopping.IsCancellationRequested || stoppingToken.IsCancellationRequested)
        {
            // A host that stops cannot show whose error it was.
            await release.ReleaseAsync(lease);
            return JobTelemetry.Released;
        }

        if (recovery?.IsDamage(exception) == true)
        {
            return await RecoverAsync(recovery, lease, exception, stoppingToken);
        }

        if (errors.IsPermanent(exception))
        {
            return await FailAsync(lease, FailureCause.Input, exception, stoppingToken);
        }

        // A mistake of ours, or a fault that passes, such as a client's time limit: others may try, and the store counts the attempts.
        LogRetried(exception, lease.Job);
        await outages.RunAsync(token => store.RetryAsync(lease, $"{exception.GetType().Name}: {exception.Message}", token), stoppingToken);
        await continuation.SendAsync([lease.Job.Scope], again: false, stoppingToken);
        return JobTelemetry.Retried;
    }

    private async Task<string> FailFastAsync(JobLease lease, string reason, Exception exception)
    {
        // Before the job is released, or it would come here again.
        failFast.End(reason, exception);
        await release.ReleaseAsync(lease);
        return JobTelemetry.Released;
    }

    private async Task<string> RecoverAsync(IJobRecovery recovery, JobLease lease, Exception exception, CancellationToken stoppingToken)
    {
        if (await outages.RunAsync(token => recovery.RecoverAsync(lease, exception, token), stoppingToken) is not { } scopes)
        {
            return await FailAsync(lease, FailureCause.DamagedFile, exception, stoppingToken);
        }

        LogRecomputed(lease.Job, exception.Message);
        await continuation.SendAsync(scopes, again: false, stoppingToken);
        // What the job waits for may be done by now: it has committed that it waits, now it looks.
        await continuation.UnblockAsync(stoppingToken);
        return JobTelemetry.Blocked;
    }

    private async Task<string> FailAsync(JobLease lease, FailureCause cause, Exception exception, CancellationToken stoppingToken)
    {
        LogFailed(exception, lease.Job);
        if (await outages.RunAsync(token => store.FailAsync(lease, new JobFailure(cause, exception.Message), token), stoppingToken))
        {
            await continuation.PublishAsync(stoppingToken);
        }

        return JobTelemetry.Failed;
    }

    // The runs that fail of it give the reason.
    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} failed for good")]
    private partial void LogFailed(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} goes on when a file has been recomputed. {Reason}")]
    private partial void LogRecomputed(JobKey job, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Job} failed unexpectedly and may be tried again")]
    private partial void LogRetried(Exception exception, JobKey job);
}
