using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Something else that a system's watchdog does in each scan, before it looks for jobs; registered as a singleton.</summary>
public interface IWatchdogTask
{
    /// <summary>Does it once. Harmless to repeat.</summary>
    Task RunAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Sends again what may have been lost: the message of a job whose lease has lapsed, of one that was never sent, and of one that
/// was sent but not claimed while its queue is empty; and plans again what follows from what is done. The fence makes a message
/// too many harmless.
/// </summary>
public sealed partial class Watchdog(
    IDbContextFactory<JobsContext> contexts,
    JobStages stages,
    IJobFlow flow,
    JobOutbox outbox,
    JobRepair repair,
    JobDispatcher dispatcher,
    IEnumerable<IWatchdogTask> tasks,
    IQueueInspector queues,
    OutageRetry outages,
    JobOptions options,
    TimeProvider time,
    ILogger<Watchdog> logger
) : BackgroundService
{
    private const int MostAtOnce = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Longer than any scan takes that makes progress.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    /// <summary>Scans once.</summary>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        await repair.ClampFutureTimestampsAsync(cancellationToken);
        foreach (var task in tasks)
        {
            await task.RunAsync(cancellationToken);
        }

        await dispatcher.SendAsync(await flow.ReconcileAsync(cancellationToken), again: false, cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var needed = context.Jobs.AsNoTracking().NeededByOpenRuns(context);

        var unsent = await needed
            .Where(job => job.State == JobState.Pending && job.DispatchedAt == null)
            .Select(job => job.Scope)
            .Distinct()
            .OrderBy(scope => scope)
            .Take(MostAtOnce)
            .ToListAsync(cancellationToken);
        await dispatcher.SendAsync(unsent, again: false, cancellationToken);

        await ResendLapsedAsync(context, needed, cancellationToken);
        await ResendUnstartedAsync(context, needed, cancellationToken);
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await flow.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await outages.RunAsync(token => time.RunAsync(Timeout, ScanAsync, token), stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                // All else relies on the watchdog: it logs what went wrong and scans again.
                LogFailed(exception);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>First of all: their workers died, or are cut off. Whatever waits in their queues, their own messages may be gone.</summary>
    private async Task ResendLapsedAsync(JobsContext context, IQueryable<Job> needed, CancellationToken cancellationToken)
    {
        var throttle = options.Lease.TotalSeconds;
        var lapsed = await needed
            .Where(job =>
                job.State == JobState.Running
                && job.LeaseUntil < DateTime.UtcNow
                && (job.DispatchedAt == null || job.DispatchedAt < DateTime.UtcNow.AddSeconds(-throttle))
            )
            .OrderBy(job => job.LeaseUntil)
            .Take(MostAtOnce)
            .ToListWithPriorityAsync(context, cancellationToken);
        await ResendAsync(lapsed, cancellationToken);
    }

    /// <summary>Queue by queue: behind many messages of one kind, those of another may be lost.</summary>
    private async Task ResendUnstartedAsync(JobsContext context, IQueryable<Job> needed, CancellationToken cancellationToken)
    {
        var throttle = options.Lease.TotalSeconds;
        var unstarted = needed.Where(job => job.State == JobState.Pending && job.DispatchedAt < DateTime.UtcNow.AddSeconds(-throttle));
        var kinds = await unstarted.Select(job => job.Kind).Distinct().ToListAsync(cancellationToken);
        if (kinds.Count == 0)
        {
            return;
        }

        var candidates = kinds
            .SelectMany(kind =>
                Enum.GetValues<RunPriority>()
                    .Select(priority => (Kind: kind, Priority: priority, Queue: stages.For(kind).QueueFor(priority)))
            )
            .ToList();
        var statistics = await queues.InspectAsync([.. candidates.Select(candidate => candidate.Queue)], cancellationToken);
        foreach (var (kind, priority, _) in candidates.Where(candidate => statistics[candidate.Queue].Ready == 0))
        {
            var lost = await unstarted
                .Where(job => job.Kind == kind)
                .OfPriority(context, priority)
                .OrderBy(job => job.DispatchedAt)
                .Take(MostAtOnce)
                .ToListWithPriorityAsync(context, cancellationToken);
            await ResendAsync(lost, cancellationToken);
        }
    }

    private async Task ResendAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        foreach (var job in jobs)
        {
            // Before it is sent: whatever becomes of that, the others are sent in the next scan.
            if (await outbox.ClaimLostAsync(job, cancellationToken))
            {
                LogResent(job.Kind, job.Scope, job.Step);
                await dispatcher.SendAsync(job, cancellationToken);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending {Kind} {Scope} #{Step} again: there is no heartbeat")]
    private partial void LogResent(string kind, string scope, int step);

    [LoggerMessage(Level = LogLevel.Error, Message = "The watchdog could not scan")]
    private partial void LogFailed(Exception exception);
}
