using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Planning units inside a transaction.</summary>
public static class CatalogUnits
{
    /// <summary>Plans units that do not exist yet.</summary>
    /// <returns>Their rows, added to the context.</returns>
    public static IReadOnlyList<WorkUnit> PlanUnits(
        this CatalogContext context,
        UnitKind kind,
        string subject,
        IEnumerable<int> steps,
        string? traceParent,
        DateTime now
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        WorkUnit[] units =
        [
            .. steps.Select(step => new WorkUnit
            {
                Kind = kind,
                Subject = subject,
                Step = step,
                CreatedAt = now,
                TraceParent = traceParent,
            }),
        ];
        context.WorkUnits.AddRange(units);
        return units;
    }

    /// <summary>
    /// Takes the row lock of an ingestion to the end of the transaction. Whoever joins or collects one begins with it, so that
    /// none is collected while a run joins it.
    /// </summary>
    /// <returns>False when there is no such ingestion.</returns>
    public static async Task<bool> LockIngestionAsync(this CatalogContext context, string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context
                .Ingestions.Where(row => row.Key == key)
                .ExecuteUpdateAsync(row => row.SetProperty(i => i.PartCount, i => i.PartCount), cancellationToken) == 1;
    }

    /// <summary>The same for a feature set.</summary>
    /// <returns>False when there is no such feature set.</returns>
    public static async Task<bool> LockFeatureSetAsync(this CatalogContext context, string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context
                .FeatureSets.Where(row => row.Key == key)
                .ExecuteUpdateAsync(row => row.SetProperty(s => s.ShardCount, s => s.ShardCount), cancellationToken) == 1;
    }

    /// <summary>Makes a run need the units of a subject.</summary>
    public static async Task DependAsync(this CatalogContext context, Guid runId, string subject, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!await context.RunDependencies.AnyAsync(d => d.RunId == runId && d.Subject == subject, cancellationToken))
        {
            context.RunDependencies.Add(new RunDependency { RunId = runId, Subject = subject });
        }

        await context.ReviveUnitsAsync(runId, subject, cancellationToken);
    }

    /// <summary>One unit.</summary>
    public static IQueryable<WorkUnit> Unit(this CatalogContext context, UnitKey unit)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.WorkUnits.Where(row => row.Kind == unit.Kind && row.Subject == unit.Subject && row.Step == unit.Step);
    }

    /// <summary>Lets a unit go on that waited for others.</summary>
    /// <returns>False when it does not wait any more.</returns>
    internal static async Task<bool> UnblockAsync(this CatalogContext context, long id, CancellationToken cancellationToken) =>
        await context
            .WorkUnits.Where(row => row.Id == id && row.State == UnitState.Waiting)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, UnitState.Pending).SetProperty(r => r.SentAt, (DateTime?)null),
                cancellationToken
            ) == 1;

    /// <summary>Has a unit done once more, since what it made is lost. One that is neither done nor given up is on its way already.</summary>
    internal static Task RequeueAsync(this CatalogContext context, UnitKey unit, string reason, CancellationToken cancellationToken) =>
        context
            .Unit(unit)
            .Where(row => row.State == UnitState.Done || row.State == UnitState.Failed)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, UnitState.Pending)
                        .SetProperty(r => r.SentAt, (DateTime?)null)
                        .SetProperty(r => r.Starts, 0)
                        .SetProperty(r => r.LastError, reason),
                cancellationToken
            );

    /// <summary>Makes the units of a kind and a subject as if they had never been begun, since what they made is collected.</summary>
    public static async Task ResetUnitsAsync(
        this CatalogContext context,
        UnitKind kind,
        string subject,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        var units = context.WorkUnits.Where(unit => unit.Subject == subject && unit.Kind == kind);
        await context.Attempts.Where(attempt => units.Any(unit => unit.Id == attempt.UnitId)).ExecuteDeleteAsync(cancellationToken);
        await units.ExecuteUpdateAsync(
            unit =>
                unit.SetProperty(u => u.State, UnitState.Pending)
                    .SetProperty(u => u.Attempt, (Guid?)null)
                    .SetProperty(u => u.LeaseUntil, (DateTime?)null)
                    .SetProperty(u => u.SentAt, (DateTime?)null)
                    .SetProperty(u => u.Starts, 0),
            cancellationToken
        );
    }

    /// <summary>Removes units with their attempts.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="subject">Whose.</param>
    /// <param name="kind">Which; null for all.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public static Task DeleteUnitsAsync(this CatalogContext context, string subject, UnitKind? kind, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context
            .WorkUnits.Where(unit => unit.Subject == subject && (kind == null || unit.Kind == kind))
            .ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>
    /// Lets units of a subject be tried again for a run: those that were given up, and those whose messages nobody heard, or
    /// that wait behind those of higher priority than the runs had that needed them so far.
    /// </summary>
    internal static async Task ReviveUnitsAsync(
        this CatalogContext context,
        Guid runId,
        string subject,
        CancellationToken cancellationToken
    )
    {
        await context
            .WorkUnits.Where(unit => unit.Subject == subject && unit.State == UnitState.Failed)
            .ExecuteUpdateAsync(
                unit =>
                    unit.SetProperty(u => u.State, UnitState.Pending)
                        .SetProperty(u => u.Starts, 0)
                        .SetProperty(u => u.SentAt, (DateTime?)null),
                cancellationToken
            );

        if (
            !await context.WorkUnits.AnyAsync(
                unit => unit.Subject == subject && unit.State == UnitState.Pending && unit.SentAt != null,
                cancellationToken
            )
        )
        {
            // As of nearly all that run after run has joined: its units are done, and who waits need not be looked for.
            return;
        }

        var others = context
            .OpenRunsThatNeed(subject)
            .Where(run =>
                run.Id != runId
                && (
                    run.Priority == RunPriority.Interactive
                    || context.Runs.Any(self => self.Id == runId && self.Priority == RunPriority.Bulk)
                )
            );
        if (!await others.AnyAsync(cancellationToken))
        {
            await context
                .WorkUnits.Where(unit => unit.Subject == subject && unit.State == UnitState.Pending)
                .ExecuteUpdateAsync(unit => unit.SetProperty(u => u.SentAt, (DateTime?)null), cancellationToken);
        }
    }
}
