using System.Diagnostics;
using Distributed.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>
/// The life of a job in a worker, the same for every stage: claim it by the fence, do the work with a heartbeat, commit, plan and
/// send what follows. The transport acknowledges the message when this returns, so last of all.
/// </summary>
public sealed partial class JobWorker(
    JobStages stages,
    JobStore store,
    JobAdmission admission,
    JobHeartbeat heartbeat,
    JobFaultHandler faults,
    JobRelease release,
    JobContinuation continuation,
    PrecedingSpans spans,
    OutageRetry outages,
    IHostApplicationLifetime lifetime,
    ILogger<JobWorker> logger
)
{
    /// <summary>Names this process in the database.</summary>
    public static string Name { get; } = $"{Environment.MachineName}/{Environment.ProcessId}";

    /// <summary>Handles the message of a job.</summary>
    /// <param name="message">The message.</param>
    /// <param name="delivery">How it came.</param>
    /// <param name="handler">Does the work.</param>
    /// <param name="cancellationToken">Cancelled when the transport is cut off.</param>
    public async Task ProcessAsync<TJob>(TJob message, JobDelivery delivery, IJobHandler<TJob> handler, CancellationToken cancellationToken)
        where TJob : class, IJobMessage
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(delivery);
        ArgumentNullException.ThrowIfNull(handler);
        var stage = stages.For(typeof(TJob).Name);
        var job = new JobKey(stage.Kind, message.Scope, message.Step);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        using var slot = await admission.EnterAsync(job, stage.Resource, delivery.Priority, stopping.Token);
        if (slot is null)
        {
            return;
        }

        using var span = JobTelemetry.StartJob(job);
        var claim = await outages.RunAsync(token => store.ClaimAsync(job, Name, delivery.IsRedelivered, token), stopping.Token);
        span?.SetTag("distributed.job.claim", JobTelemetry.Snake(claim.Outcome.ToString()));
        using var grace = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var stop = lifetime.ApplicationStopping.Register(() => grace.CancelAfter(handler.Grace));
        switch (claim.Outcome)
        {
            case ClaimOutcome.Claimed:
                RecordClaim(job, claim, delivery);
                if (
                    await WorkAsync(claim.Lease!, (lease, token) => handler.ExecuteAsync(message, lease, token), span, grace.Token)
                    == JobTelemetry.Completed
                )
                {
                    slot.Dispose();
                    await continuation.GoOnAsync(job, again: false, grace.Token);
                }

                break;
            case ClaimOutcome.Done:
                // A redelivered message is that of a worker that may have died before it sent what follows. A mere duplicate sends
                // nothing twice: otherwise each would cause as many messages as may wait.
                await continuation.GoOnAsync(job, again: delivery.IsRedelivered, grace.Token);
                break;
            case ClaimOutcome.Poisoned:
                LogPoisoned(job);
                await continuation.PublishAsync(grace.Token);
                break;
            default:
                LogDropped(job, claim.Outcome);
                break;
        }
    }

    private static void RecordClaim(JobKey job, JobClaim claim, JobDelivery delivery)
    {
        if (delivery.SentAt is { } sent)
        {
            JobTelemetry.RecordWait(job.Kind, DateTime.UtcNow - sent);
        }

        if (claim.IsReclaimed)
        {
            JobTelemetry.RecordReclaimed(job.Kind);
        }
    }

    /// <returns>How the attempt ended, for telemetry.</returns>
    private async Task<string> WorkAsync(
        JobLease lease,
        Func<JobLease, CancellationToken, Task<JobWrite>> execute,
        Activity? span,
        CancellationToken stoppingToken
    )
    {
        using var scope = logger.BeginRun(lease.RunId, traceParent: null);
        span?.SetTag("distributed.run.id", lease.RunId);
        JobTelemetry.RecordActive(lease.Job.Kind, 1);
        var started = Stopwatch.GetTimestamp();
        LogBegins(lease.Job);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        using var heartbeatEnd = new CancellationTokenSource();
        var beating = heartbeat.KeepAsync(lease, lost, heartbeatEnd.Token);
        var outcome = JobTelemetry.Lost;
        try
        {
            await spans.LinkAsync(span, lease.Job, lost.Token);
            var repetition = 0;
            var write = await outages.RunAsync(
                token => execute(lease with { Repetition = repetition++ }, token),
                cause => heartbeat.NoteAsync(lease, cause),
                lost.Token
            );
            outcome = await outages.RunAsync(token => store.CommitAsync(lease, write, token), lost.Token)
                ? JobTelemetry.Completed
                : await release.ReleaseLostAsync(lease, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            outcome = JobTelemetry.Released;
            await release.ReleaseAsync(lease);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            outcome = await release.ReleaseLostAsync(lease, stoppingToken);
        }
        catch (Exception exception)
        {
            outcome = await faults.EndAsync(lease, exception, stoppingToken);
        }
        finally
        {
            await heartbeatEnd.CancelAsync();
            await beating;
            var elapsed = Stopwatch.GetElapsedTime(started);
            JobTelemetry.RecordActive(lease.Job.Kind, -1);
            JobTelemetry.RecordJob(lease.Job.Kind, outcome, elapsed);
            span.SetOutcome(outcome);
            LogEnds(lease.Job, outcome, elapsed.TotalSeconds);
        }

        return outcome;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Job} has no attempts left and has failed")]
    private partial void LogPoisoned(JobKey job);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} begins")]
    private partial void LogBegins(JobKey job);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} is {Outcome} after {Seconds:F2} s")]
    private partial void LogEnds(JobKey job, string outcome, double seconds);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} is not done here: {Outcome}")]
    private partial void LogDropped(JobKey job, ClaimOutcome outcome);
}
