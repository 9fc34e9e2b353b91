using Distributed.Catalog;
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
    UnitDispatcher dispatcher,
    RunAnnouncer announcer,
    IQueueInspector queues,
    OutageRetry outages,
    UnitOptions options,
    ILogger<Watchdog> logger) : BackgroundService
{
    private const int MostAtOnce = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Looks once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        await control.FailOverdueAsync(cancellationToken);
        await announcer.AnnounceAsync(cancellationToken);
        await dispatcher.SendAsync(await runs.CatchUpAsync(cancellationToken), again: false, cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var throttle = options.Lease.TotalSeconds;
        var needed = context.WorkUnits.AsNoTracking().Where(unit => context.RunDependencies.Any(dependency =>
            dependency.Subject == unit.Subject
            && context.Runs.Any(run => run.Id == dependency.RunId && RunStates.Open.Contains(run.State))));

        var unsent = await needed
            .Where(unit => unit.State == UnitState.Pending && unit.SentAt == null)
            .Select(unit => unit.Subject)
            .Distinct()
            .OrderBy(subject => subject)
            .Take(MostAtOnce)
            .ToListAsync(cancellationToken);
        await dispatcher.SendAsync(unsent, again: false, cancellationToken);

        var silent = await needed
            .Where(unit => unit.SentAt < DateTime.UtcNow.AddSeconds(-throttle)
                && (unit.State == UnitState.Pending || (unit.State == UnitState.Running && unit.LeaseUntil < DateTime.UtcNow)))
            .OrderBy(unit => unit.SentAt)
            .Take(MostAtOnce)
            .ToListWithPriorityAsync(context, cancellationToken);
        foreach (var queue in silent.GroupBy(unit => UnitRoutes.For(unit.Kind).QueueFor(unit.Priority)))
        {
            var empty = await queues.IsEmptyAsync(queue.Key, cancellationToken);
            foreach (var unit in queue.Where(unit => empty || unit.State == UnitState.Running))
            {
                await context.WorkUnits.Where(row => row.Id == unit.Id).ExecuteUpdateAsync(
                    row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow),
                    cancellationToken);
                LogResent(unit.Kind, unit.Subject, unit.Step);
                await dispatcher.SendAsync(unit, cancellationToken);
            }
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval);
        do
        {
            try
            {
                await outages.RunAsync(LookAsync, stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // The watchdog is what everybody else relies on: it says what went wrong and looks again.
                LogFailed(exception);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending {Kind} {Subject} #{Step} again: nobody has shown a sign of life")]
    private partial void LogResent(UnitKind kind, string subject, int step);

    [LoggerMessage(Level = LogLevel.Error, Message = "The watchdog could not look")]
    private partial void LogFailed(Exception exception);
}
