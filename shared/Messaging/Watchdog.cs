using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>
/// Sends again what may have been lost: the message of a unit whose lease has lapsed, of one that was never sent, and of
/// one that was sent but not started while its queue is empty; looks again what follows from what is done; and fails runs whose time limit has
/// passed. The fence makes a message too many harmless.
/// </summary>
public sealed partial class Watchdog(
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigration catalog,
    RunFlow runs,
    RunControl control,
    UnitOutbox outbox,
    UnitRepair repair,
    UnitDispatcher dispatcher,
    RunAnnouncer announcer,
    IQueueInspector queues,
    OutageRetry outages,
    UnitOptions options,
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
        await repair.CutTimesAheadAsync(cancellationToken);
        await control.FailOverdueAsync(cancellationToken);
        await announcer.AnnounceAsync(cancellationToken);
        await dispatcher.SendAsync(await runs.CatchUpAsync(cancellationToken), again: false, cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var needed = context.WorkUnits.AsNoTracking().NeededByOpenRuns(context);

        var unsent = await needed
            .Where(unit => unit.State == UnitState.Pending && unit.SentAt == null)
            .Select(unit => unit.Subject)
            .Distinct()
            .OrderBy(subject => subject)
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
    private async Task ResendLapsedAsync(CatalogContext context, IQueryable<WorkUnit> needed, CancellationToken cancellationToken)
    {
        var throttle = options.Lease.TotalSeconds;
        var lapsed = await needed
            .Where(unit =>
                unit.State == UnitState.Running
                && unit.LeaseUntil < DateTime.UtcNow
                && (unit.SentAt == null || unit.SentAt < DateTime.UtcNow.AddSeconds(-throttle))
            )
            .OrderBy(unit => unit.LeaseUntil)
            .Take(MostAtOnce)
            .ToListWithPriorityAsync(context, cancellationToken);
        await ResendAsync(lapsed, cancellationToken);
    }

    /// <summary>Queue by queue: behind many messages of one kind, those of another may be lost.</summary>
    private async Task ResendUnstartedAsync(CatalogContext context, IQueryable<WorkUnit> needed, CancellationToken cancellationToken)
    {
        var throttle = options.Lease.TotalSeconds;
        var unstarted = needed.Where(unit => unit.State == UnitState.Pending && unit.SentAt < DateTime.UtcNow.AddSeconds(-throttle));
        var kinds = await unstarted.Select(unit => unit.Kind).Distinct().ToListAsync(cancellationToken);
        if (kinds.Count == 0)
        {
            return;
        }

        var candidates = kinds
            .SelectMany(kind =>
                Enum.GetValues<RunPriority>()
                    .Select(priority => (Kind: kind, Priority: priority, Queue: UnitRoutes.For(kind).QueueFor(priority)))
            )
            .ToList();
        var standings = await queues.LookAsync([.. candidates.Select(candidate => candidate.Queue)], cancellationToken);
        foreach (var (kind, priority, _) in candidates.Where(candidate => standings[candidate.Queue].Ready == 0))
        {
            var lost = await unstarted
                .Where(unit => unit.Kind == kind)
                .OfPriority(context, priority)
                .OrderBy(unit => unit.SentAt)
                .Take(MostAtOnce)
                .ToListWithPriorityAsync(context, cancellationToken);
            await ResendAsync(lost, cancellationToken);
        }
    }

    private async Task ResendAsync(IReadOnlyList<WorkUnit> units, CancellationToken cancellationToken)
    {
        foreach (var unit in units)
        {
            // Before it is sent: whatever becomes of that, others have their turn in the next look.
            if (await outbox.TakeLostAsync(unit, cancellationToken))
            {
                LogResent(unit.Kind, unit.Subject, unit.Step);
                await dispatcher.SendAsync(unit, cancellationToken);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending {Kind} {Subject} #{Step} again: there is no heartbeat")]
    private partial void LogResent(UnitKind kind, string subject, int step);

    [LoggerMessage(Level = LogLevel.Error, Message = "The watchdog could not look")]
    private partial void LogFailed(Exception exception);
}
