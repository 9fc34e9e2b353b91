using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Events;

/// <summary>Says which processes are gone, and removes what is old of what goes on: changes, processes, deliveries, dead letters.</summary>
internal sealed class LiveUpkeep(IDbContextFactory<CatalogContext> contexts, TimeProvider time) : IWatchdogTask
{
    private const int MostAtOnce = 10_000;

    /// <summary>Reports of a process that are missing before it counts as gone.</summary>
    private const double LostAfterSeconds = 15;

    private const double ForgottenAfterHours = 1;
    private const double DeliveriesKeptDays = 7;
    private const double DeadLettersKeptDays = 90;
    private const int MostDeadLetters = 10_000;

    /// <summary>For how long a listener may stay away and go on where it was.</summary>
    private const double ChangesKeptHours = 1;

    private static readonly TimeSpan RemovalInterval = TimeSpan.FromMinutes(5);

    private long? _removedAt;

    /// <inheritdoc />
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Workers.Where(worker => worker.State == WorkerState.Alive && worker.SeenAt < DateTime.UtcNow.AddSeconds(-LostAfterSeconds))
            .ExecuteUpdateAsync(worker => worker.SetProperty(w => w.State, WorkerState.Lost), cancellationToken);
        if (_removedAt is { } at && time.GetElapsedTime(at) < RemovalInterval)
        {
            return;
        }

        _removedAt = time.GetTimestamp();
        await context
            .Workers.Where(worker => worker.SeenAt < DateTime.UtcNow.AddHours(-ForgottenAfterHours))
            .ExecuteDeleteAsync(cancellationToken);
        await context
            .WebhookDeliveries.Where(delivery =>
                delivery.State != DeliveryState.Pending && delivery.CreatedAt < DateTime.UtcNow.AddDays(-DeliveriesKeptDays)
            )
            .ExecuteDeleteAsync(cancellationToken);
        await context
            .DeadLetters.Where(letter => letter.At < DateTime.UtcNow.AddDays(-DeadLettersKeptDays))
            .ExecuteDeleteAsync(cancellationToken);
        var surplus = context.DeadLetters.OrderByDescending(letter => letter.Id).Skip(MostDeadLetters).Select(letter => letter.Id);
        await context.DeadLetters.Where(letter => surplus.Contains(letter.Id)).ExecuteDeleteAsync(cancellationToken);
        await RemoveChangesAsync(context, cancellationToken);
    }

    /// <summary>The latest stays: who has heard it goes on there, however long nothing happens. So does what no webhook has been told.</summary>
    private static async Task RemoveChangesAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        if (await context.SettledChanges().LatestAsync(cancellationToken) is not { } bound)
        {
            return;
        }

        var told = await context.WebhookCursors.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (told is not null && new ChangePosition(told.TransactionId, told.ChangeId) is var cursor && cursor < bound)
        {
            bound = cursor;
        }

        int removed;
        do
        {
            removed = await context
                .Changes.Where(change => change.At < DateTime.UtcNow.AddHours(-ChangesKeptHours))
                .Before(bound)
                .OrderBy(change => change.TransactionId)
                .ThenBy(change => change.Id)
                .Take(MostAtOnce)
                .ExecuteDeleteAsync(cancellationToken);
        } while (removed == MostAtOnce);
    }
}
