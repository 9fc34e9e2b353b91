using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Decides which units' messages are sent now, and remembers which were: so that few wait in a queue, and none is sent twice without need.</summary>
public sealed class UnitOutbox(IDbContextFactory<CatalogContext> contexts, UnitOptions options)
{
    /// <summary>
    /// Chooses the units of a subject whose messages are to be sent now, at most as many as may wait, and marks
    /// them sent.
    /// </summary>
    /// <param name="subject">The subject.</param>
    /// <param name="again">Whether to send those again that were sent but not started: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<IReadOnlyList<WorkUnit>> TakeToSendAsync(string subject, bool again, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ofSubject = context.WorkUnits.AsNoTracking().Where(row => row.Subject == subject);
        var counts = await ofSubject
            .Where(row => row.State == UnitState.Running || (row.State == UnitState.Pending && row.SentAt != null))
            .GroupBy(row => row.State)
            .Select(group => new { State = group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.State, group => group.Count, cancellationToken);
        var most = Math.Max(options.Queued, counts.GetValueOrDefault(UnitState.Running));
        var queued = again ? 0 : counts.GetValueOrDefault(UnitState.Pending);
        if (queued > most / 2)
        {
            return [];
        }

        var candidates = await ofSubject
            .NeededByOpenRuns(context)
            .Where(row => row.State == UnitState.Pending && (again || row.SentAt == null))
            .OrderBy(row => row.Step)
            .Take(most - queued)
            .ToListWithPriorityAsync(context, cancellationToken);
        var taken = new List<WorkUnit>(candidates.Count);
        // Whoever gets the first one sends the others too: workers that end together need not all try.
        if (candidates.Count == 0 || !await TakeAsync(candidates[0]))
        {
            return taken;
        }

        taken.Add(candidates[0]);
        if (candidates.Count == 1)
        {
            return taken;
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        foreach (var candidate in candidates.Skip(1))
        {
            if (await TakeAsync(candidate))
            {
                taken.Add(candidate);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        return taken;

        async Task<bool> TakeAsync(WorkUnit candidate) =>
            await context
                .WorkUnits.Where(row => row.Id == candidate.Id && row.State == UnitState.Pending && (again || row.SentAt == null))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken) == 1;
    }

    /// <summary>Marks a new unit as sent now, unless it has been started meanwhile.</summary>
    public async Task MarkSentAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .WorkUnits.Where(row => row.Id == unit.Id && row.State == UnitState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken);
    }

    /// <summary>Marks a unit that waits to be started as sent now.</summary>
    /// <returns>The unit, with the priority that it has now; null when it does not wait, or nobody needs it.</returns>
    public async Task<WorkUnit?> TakeAgainAsync(UnitKey unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var waiting = context.Unit(unit).Where(row => row.State == UnitState.Pending).NeededByOpenRuns(context);
        return await waiting.ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken) == 1
            ? (await context.Unit(unit).AsNoTracking().ToListWithPriorityAsync(context, cancellationToken)).SingleOrDefault()
            : null;
    }

    /// <summary>Marks a unit as sent now whose message may be lost.</summary>
    /// <param name="unit">The unit as it was read.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>False when it was begun, ended or sent since it was read: then its message is not lost.</returns>
    public async Task<bool> TakeLostAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        var throttle = options.Lease.TotalSeconds;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
                .WorkUnits.Where(row => row.Id == unit.Id && row.State == unit.State)
                .Unclaimed()
                .Where(row => row.SentAt == null || row.SentAt < DateTime.UtcNow.AddSeconds(-throttle))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken) == 1;
    }

    /// <summary>Takes back that units were sent, where the message could not be.</summary>
    public async Task ReturnUnsentAsync(IEnumerable<WorkUnit> units, CancellationToken cancellationToken)
    {
        var ids = units.Select(unit => unit.Id).ToList();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .WorkUnits.Where(row => ids.Contains(row.Id) && row.State == UnitState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, (DateTime?)null), cancellationToken);
    }
}
