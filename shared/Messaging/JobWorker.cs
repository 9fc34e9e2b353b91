using System.Diagnostics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>What a job found out, to be written in the transaction that marks it done. May be called more than once, with a fresh context each time.</summary>
public delegate Task JobWrite(CatalogContext context, CancellationToken cancellationToken);

/// <summary>The steps that differ between kinds of job.</summary>
public interface IJobHandler
{
    /// <summary>Does the work; changes nothing in the catalog.</summary>
    /// <param name="lease">The job and the attempt's token.</param>
    /// <param name="cancellationToken">Cancelled when the job is lost, its run is over or the host shuts down.</param>
    /// <returns>What to write.</returns>
    Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken);

    /// <summary>
    /// How long work that ends early by itself when the host stops, and keeps what it has done, is given to do so; zero for
    /// work that is given back and begun anew elsewhere.
    /// </summary>
    TimeSpan Grace { get; }

    /// <summary>Looks what follows from a job that is done. Must be harmless to repeat.</summary>
    /// <returns>Scopes that may have jobs to send.</returns>
    Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken);
}

/// <summary>
/// The life of a job in a worker, the same for every kind: start by the fence, work with a heartbeat, commit, look what
/// follows, send it; the caller acknowledges when this returns, so last of all.
/// </summary>
public sealed partial class JobWorker(
    JobStore store,
    JobOutbox outbox,
    RunFlow runs,
    JobDispatcher dispatcher,
    RunAnnouncer announcer,
    HostChecks checks,
    JobOptions options,
    JobErrors errors,
    FileRecovery recovery,
    OutageRetry outages,
    Withdrawal withdrawal,
    JobAlarm alarm,
    PriorityLimiter gate,
    IHostApplicationLifetime lifetime,
    ILogger<JobWorker> logger
)
{
    /// <summary>How long a bulk job waits here for interactive ones to be done, before another worker may have it.</summary>
    private static readonly TimeSpan BulkPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(500);

    /// <summary>Names this process in the catalog.</summary>
    public static string Name { get; } = $"{Environment.MachineName}/{Environment.ProcessId}";

    /// <summary>Handles the message of a job.</summary>
    /// <param name="job">The job it names.</param>
    /// <param name="priority">Which queue it came from.</param>
    /// <param name="redelivered">Whether the broker had given it to somebody before.</param>
    /// <param name="sentAt">When it was sent, if known.</param>
    /// <param name="work">What the kind does.</param>
    /// <param name="cancellationToken">The consumer's token.</param>
    public async Task ProcessAsync(
        JobKey job,
        RunPriority priority,
        bool redelivered,
        DateTime? sentAt,
        IJobHandler work,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(work);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var resource = JobRoutes.For(job.Kind).Resource;
        await checks.PassedAsync(resource).WaitAsync(stopping.Token);
        var patience = priority == RunPriority.Interactive ? Timeout.InfiniteTimeSpan : BulkPatience;
        using var turn = await gate.EnterAsync(resource, priority, patience, stopping.Token);
        if (turn is null)
        {
            await PutBackAsync(job, stopping.Token);
            return;
        }

        using var span = MessagingTelemetry.StartJob(job);
        var start = await outages.RunAsync(token => store.ClaimAsync(job, Name, redelivered, token), stopping.Token);
        span?.SetTag("distributed.job.claim", MessagingTelemetry.Snake(start.Outcome.ToString()));
        using var grace = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var stop = lifetime.ApplicationStopping.Register(() => grace.CancelAfter(work.Grace));
        switch (start.Outcome)
        {
            case ClaimOutcome.Claimed:
                if (sentAt is { } sent)
                {
                    MessagingTelemetry.RecordWait(job.Kind, DateTime.UtcNow - sent);
                }

                if (start.IsReclaimed)
                {
                    MessagingTelemetry.RecordReclaimed(job.Kind);
                }

                await WorkAsync(start.Lease!, work, turn, span, grace.Token);
                break;
            case ClaimOutcome.Done:
                // A redelivered message tells of a worker that died before it had sent what follows. A mere duplicate sends
                // nothing twice: otherwise each would bring forth as many as may wait.
                await FollowUpAsync(job, work, again: redelivered, grace.Token);
                break;
            case ClaimOutcome.Poisoned:
                LogPoisoned(job, options.MaxAttempts);
                await AnnounceAsync(grace.Token);
                break;
            default:
                LogDropped(job, start.Outcome);
                break;
        }
    }

    private async Task WorkAsync(JobLease lease, IJobHandler work, IDisposable turn, Activity? span, CancellationToken stoppingToken)
    {
        using var scope = logger.BeginRun(lease.RunId, traceParent: null);
        span?.SetTag("distributed.run.id", lease.RunId);
        MessagingTelemetry.RecordActive(lease.Job.Kind, 1);
        var started = Stopwatch.GetTimestamp();
        LogBegins(lease.Job);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        using var heartbeatEnd = new CancellationTokenSource();
        var heartbeat = HeartbeatAsync(lease, lost, heartbeatEnd.Token);
        var outcome = MessagingTelemetry.Lost;
        try
        {
            await LinkAsync(span, lease.Job, lost.Token);
            var repetition = 0;
            var write = await outages.RunAsync(
                token => work.ExecuteAsync(lease with { Repetition = repetition++ }, token),
                cause => NoteAsync(lease, cause),
                lost.Token
            );
            if (await outages.RunAsync(token => store.CommitAsync(lease, (context, inner) => write(context, inner), token), lost.Token))
            {
                outcome = MessagingTelemetry.Completed;
            }
            else
            {
                outcome = await LetGoAsync(lease, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            outcome = MessagingTelemetry.Released;
            await GiveBackAsync(lease);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            outcome = await LetGoAsync(lease, stoppingToken);
        }
        catch (Exception exception)
        {
            outcome = await EndBadlyAsync(lease, exception, stoppingToken);
        }
        finally
        {
            await heartbeatEnd.CancelAsync();
            await heartbeat;
            var elapsed = Stopwatch.GetElapsedTime(started);
            MessagingTelemetry.RecordActive(lease.Job.Kind, -1);
            MessagingTelemetry.RecordJob(lease.Job.Kind, outcome, elapsed);
            span.SetOutcome(outcome);
            LogEnds(lease.Job, outcome, elapsed.TotalSeconds);
        }

        if (outcome == MessagingTelemetry.Completed)
        {
            turn.Dispose();
            await FollowUpAsync(lease.Job, work, again: false, stoppingToken);
        }
    }

    /// <summary>What an error means. Before a job is charged for it, or its run fails, this host shows that it was not its own fault.</summary>
    /// <returns>How the attempt ended, for telemetry.</returns>
    private async Task<string> EndBadlyAsync(JobLease lease, Exception exception, CancellationToken stoppingToken)
    {
        try
        {
            if (errors.IsOfWorker(exception))
            {
                return await WithdrawAsync(lease, exception.Message, exception);
            }

            if (await checks.RepeatAsync(JobRoutes.For(lease.Job.Kind).Resource, stoppingToken) is { } found)
            {
                return await WithdrawAsync(lease, found.Reason, exception);
            }
        }
        catch (OperationCanceledException)
            when (lifetime.ApplicationStopping.IsCancellationRequested || stoppingToken.IsCancellationRequested)
        {
            // A host that stops cannot tell whose fault it was.
            await GiveBackAsync(lease);
            return MessagingTelemetry.Released;
        }

        if (exception is StoredFileException { Paths.Count: > 0 } file)
        {
            await RecoverAsync(lease, file, stoppingToken);
            return MessagingTelemetry.Blocked;
        }

        if (errors.IsPermanent(exception))
        {
            await FailAsync(lease, exception, stoppingToken);
            return MessagingTelemetry.Failed;
        }

        // A mistake of ours, or a fault that passes, a time limit of some client among them: others may try, and the store counts the starts.
        LogAbandoned(exception, lease.Job);
        await outages.RunAsync(token => store.RetryAsync(lease, $"{exception.GetType().Name}: {exception.Message}", token), stoppingToken);
        await SendAsync([lease.Job.Scope], again: false, stoppingToken);
        return MessagingTelemetry.Retried;
    }

    private async Task<string> WithdrawAsync(JobLease lease, string reason, Exception exception)
    {
        // Before the job is given back, or it would come here again.
        withdrawal.Begin(reason, exception);
        await GiveBackAsync(lease);
        return MessagingTelemetry.Released;
    }

    /// <summary>Sends a job's message anew, behind the others in its queue, since it cannot be begun here; where it is begun or over already, the message was one too many.</summary>
    private async Task PutBackAsync(JobKey job, CancellationToken cancellationToken)
    {
        if (await outages.RunAsync(token => outbox.ClaimAgainAsync(job, token), cancellationToken) is { } row)
        {
            await outages.RunAsync(token => dispatcher.SendAsync(row, token), cancellationToken);
        }
    }

    private async Task RecoverAsync(JobLease lease, StoredFileException exception, CancellationToken stoppingToken)
    {
        if (await outages.RunAsync(token => recovery.RecoverAsync(lease, exception, token), stoppingToken) is not { } scopes)
        {
            await FailAsync(lease, exception, stoppingToken);
            return;
        }

        LogMadeAgain(lease.Job, exception.Message);
        await SendAsync(scopes, again: false, stoppingToken);
        // What the job waits for may be done by now: it has committed, now it looks.
        await SendAsync(await outages.RunAsync(runs.WakeAsync, stoppingToken), again: false, stoppingToken);
    }

    private async Task FailAsync(JobLease lease, Exception exception, CancellationToken stoppingToken)
    {
        LogFailed(exception, lease.Job);
        var failure = new RunFailure(exception is StoredFileException ? FailureCause.DamagedFile : FailureCause.Input, exception.Message);
        if (await outages.RunAsync(token => store.FailAsync(lease, failure, token), stoppingToken))
        {
            await AnnounceAsync(stoppingToken);
        }
    }

    /// <summary>Links an attempt's span to those of what it goes on from. Only where its span is recorded, as it costs a query.</summary>
    private async Task LinkAsync(Activity? span, JobKey job, CancellationToken cancellationToken)
    {
        if (span is not { IsAllDataRequested: true })
        {
            return;
        }

        foreach (var preceding in await outages.RunAsync(token => store.FindPrecedingSpansAsync(job, token), cancellationToken))
        {
            if (ActivityContext.TryParse(preceding, traceState: null, isRemote: true, out var context))
            {
                span.AddLink(new ActivityLink(context));
            }
        }
    }

    /// <summary>Tells people what a job waits for, as long as the catalog can be told.</summary>
    private async Task NoteAsync(JobLease lease, string cause)
    {
        try
        {
            await store.NoteAsync(lease, cause, CancellationToken.None);
        }
        catch (Exception exception) when (CatalogOutage.Is(exception))
        {
            LogNotNoted(exception, lease.Job);
        }
    }

    private async Task FollowUpAsync(JobKey job, IJobHandler work, bool again, CancellationToken cancellationToken)
    {
        if (await LookAsync(job, work, cancellationToken) is { } scopes)
        {
            // A run that was moved on before waits for nothing any more, and its message may have been lost all the same.
            await SendAsync(again ? [.. scopes, job.Scope] : scopes, again, cancellationToken);
        }

        if (job.Kind == JobKind.EvaluateHead)
        {
            await AnnounceAsync(cancellationToken);
        }
    }

    /// <summary>Looks what follows; nobody else would, and the runs would wait for ever. So they fail where looking does.</summary>
    private async Task<IReadOnlyList<string>?> LookAsync(JobKey job, IJobHandler work, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await outages.RunAsync(
                    async token => (IReadOnlyList<string>)[.. await work.FollowUpAsync(job, token), .. await runs.WakeAsync(token)],
                    cancellationToken
                );
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                LogNothingFollows(exception, job);
                if (tries >= options.MaxAttempts)
                {
                    var reason =
                        $"What follows {job.Kind} of step {job.Step} could not be found: {exception.GetType().Name}: {exception.Message}";
                    await outages.RunAsync(
                        token => runs.FailAsync(job.Scope, new RunFailure(FailureCause.Internal, reason), token),
                        cancellationToken
                    );
                    await AnnounceAsync(cancellationToken);
                    return null;
                }
            }

            await Task.Delay(LookPause, cancellationToken);
        }
    }

    private async Task SendAsync(IReadOnlyList<string> scopes, bool again, CancellationToken cancellationToken)
    {
        try
        {
            await outages.RunAsync(token => dispatcher.SendAsync(scopes, again, token), cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The broker is away: it gives our message out again when it is back, since we cannot acknowledge it now, or the watchdog sends.
            LogNotSent(exception);
        }
    }

    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        try
        {
            await outages.RunAsync(announcer.AnnounceAsync, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The watchdog announces what was not announced.
            LogNotSent(exception);
        }
    }

    /// <summary>Frees a job that no run needs any more, so that the next one that does need not wait for the lease; nothing where another worker holds it.</summary>
    /// <returns>How the attempt ended, for telemetry.</returns>
    private async Task<string> LetGoAsync(JobLease lease, CancellationToken cancellationToken)
    {
        LogLost(lease.Job);
        try
        {
            return await outages.RunAsync(token => store.ReleaseAsync(lease, token), cancellationToken)
                ? MessagingTelemetry.Cancelled
                : MessagingTelemetry.Lost;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // A frozen worker that wakes up learns of both at once: that it lost the job, and that the broker has hung up.
            await GiveBackAsync(lease);
            return MessagingTelemetry.Lost;
        }
    }

    private async Task GiveBackAsync(JobLease lease)
    {
        // The host's own grace period bounds this; what is not sent in it, the watchdog sends.
        using var grace = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await store.ReleaseAsync(lease, grace.Token);
            await dispatcher.SendAsync([lease.Job.Scope], again: false, grace.Token);
        }
        catch (Exception exception)
        {
            LogNotGivenBack(exception, lease.Job);
        }
    }

    private async Task HeartbeatAsync(JobLease lease, CancellationTokenSource lost, CancellationToken endToken)
    {
        var alarmed = alarm.Next;
        try
        {
            while (true)
            {
                await Task.WhenAny(alarmed, Task.Delay(options.Heartbeat, endToken));
                endToken.ThrowIfCancellationRequested();
                alarmed = alarm.Next;
                try
                {
                    if (!await store.ExtendAsync(lease, endToken))
                    {
                        await lost.CancelAsync();
                        return;
                    }
                }
                catch (Exception exception) when (CatalogOutage.Is(exception))
                {
                    // The commit's guard decides whether the job was lost meanwhile.
                    LogNoHeartbeat(exception, lease.Job);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The job has ended.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Job} was started {Starts} times without progress and has failed")]
    private partial void LogPoisoned(JobKey job, int starts);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} begins")]
    private partial void LogBegins(JobKey job);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} is {Outcome} after {Seconds:F2} s")]
    private partial void LogEnds(JobKey job, string outcome, double seconds);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} needs nothing from us: {Outcome}")]
    private partial void LogDropped(JobKey job, ClaimOutcome outcome);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} was taken by another worker or is not needed any more")]
    private partial void LogLost(JobKey job);

    // The runs that fail of it tell the reason.
    [LoggerMessage(Level = LogLevel.Debug, Message = "{Job} failed for good")]
    private partial void LogFailed(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} goes on when a file has been made again. {Reason}")]
    private partial void LogMadeAgain(JobKey job, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} waits, and the catalog cannot be told")]
    private partial void LogNotNoted(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Job} failed unexpectedly and may be tried again")]
    private partial void LogAbandoned(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Error, Message = "What follows {Job} could not be found")]
    private partial void LogNothingFollows(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What follows could not be sent; the watchdog will")]
    private partial void LogNotSent(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Job} could not be given back at shutdown; its lease will lapse")]
    private partial void LogNotGivenBack(Exception exception, JobKey job);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No heartbeat for {Job}: the database cannot be reached")]
    private partial void LogNoHeartbeat(Exception exception, JobKey job);
}
