using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>
/// Sends again what may have been lost: the message of a job whose lease has lapsed, of one that was never sent, and of
/// one that was sent but not started while its queue is empty; looks again what follows from what is done; and fails runs whose time limit has
/// passed. The fence makes a message too many harmless.
/// </summary>
public sealed partial class Watchdog(
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigration catalog,
    RunFlow runs,
    RunControl control,
    JobOutbox outbox,
    JobRepair repair,
    JobDispatcher dispatcher,
    RunAnnouncer announcer,
    IQueueInspector queues,
    OutageRetry outages,
    JobOptions options,
    TimeProvider time,
    ILogger<Watchdog> logger
) : BackgroundService
{
    private const int MostAtOnce = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Longer than any look takes that gets on.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Looks once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        await repair.ClampFutureTimestampsAsync(cancellationToken);
        await control.FailOverdueAsync(cancellationToken);
        await announcer.AnnounceAsync(cancellationToken);
        await dispatcher.SendAsync(await runs.ReconcileAsync(cancellationToken), again: false, cancellationToken);
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
        await catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await outages.RunAsync(token => time.RunAsync(Patience, LookAsync, token), stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                // The watchdog is what everybody else relies on: it says what went wrong and looks again.
                LogFailed(exception);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>First of all: somebody has died of them, or is cut off. Whatever waits in their queues, their own messages may be gone.</summary>
    private async Task ResendLapsedAsync(CatalogContext context, IQueryable<Job> needed, CancellationToken cancellationToken)
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
    private async Task ResendUnstartedAsync(CatalogContext context, IQueryable<Job> needed, CancellationToken cancellationToken)
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
                    .Select(priority => (Kind: kind, Priority: priority, Queue: JobRoutes.For(kind).QueueFor(priority)))
            )
            .ToList();
        var standings = await queues.LookAsync([.. candidates.Select(candidate => candidate.Queue)], cancellationToken);
        foreach (var (kind, priority, _) in candidates.Where(candidate => standings[candidate.Queue].Ready == 0))
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
            // Before it is sent: whatever becomes of that, others have their turn in the next look.
            if (await outbox.ClaimLostAsync(job, cancellationToken))
            {
                LogResent(job.Kind, job.Scope, job.Step);
                await dispatcher.SendAsync(job, cancellationToken);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending {Kind} {Scope} #{Step} again: there is no heartbeat")]
    private partial void LogResent(JobKind kind, string scope, int step);

    [LoggerMessage(Level = LogLevel.Error, Message = "The watchdog could not look")]
    private partial void LogFailed(Exception exception);
}
