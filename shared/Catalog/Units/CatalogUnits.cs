using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Planning units inside a transaction.</summary>
public static class CatalogUnits
{
    /// <summary>Plans units that do not exist yet.</summary>
    public static void PlanUnits(
        this CatalogContext context,
        UnitKind kind,
        string subject,
        IEnumerable<int> steps,
        string? traceParent,
        DateTime now
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        context.WorkUnits.AddRange(
            steps.Select(step => new WorkUnit
            {
                Kind = kind,
                Subject = subject,
                Step = step,
                CreatedAt = now,
                TraceParent = traceParent,
            })
        );
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

    /// <summary>Units that an open run needs, to be read.</summary>
    public static IQueryable<WorkUnit> NeededUnits(this CatalogContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context
            .WorkUnits.AsNoTracking()
            .Where(unit =>
                context.RunDependencies.Any(dependency =>
                    dependency.Subject == unit.Subject
                    && context.Runs.Any(run => run.Id == dependency.RunId && RunStates.Open.Contains(run.State))
                )
            );
    }

    /// <summary>Those of some units that wait for a worker: nobody has begun them, or whoever had is silent for longer than its lease.</summary>
    public static IQueryable<WorkUnit> Unclaimed(this IQueryable<WorkUnit> units) =>
        units.Where(unit => unit.State == UnitState.Pending || (unit.State == UnitState.Running && unit.LeaseUntil < DateTime.UtcNow));

    /// <summary>Those of some units that have a priority: interactive where an open interactive run needs them.</summary>
    public static IQueryable<WorkUnit> OfPriority(this IQueryable<WorkUnit> units, CatalogContext context, RunPriority priority)
    {
        ArgumentNullException.ThrowIfNull(context);
        var isInteractive = priority == RunPriority.Interactive;
        return units.Where(unit =>
            isInteractive
            == context.RunDependencies.Any(dependency =>
                dependency.Subject == unit.Subject
                && context.Runs.Any(run =>
                    run.Id == dependency.RunId && run.Priority == RunPriority.Interactive && RunStates.Open.Contains(run.State)
                )
            )
        );
    }

    /// <summary>Reads units, each with the priority of those that need it.</summary>
    public static async Task<List<WorkUnit>> ToListWithPriorityAsync(
        this IQueryable<WorkUnit> units,
        CatalogContext context,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        var found = await units
            .Select(unit => new
            {
                Unit = unit,
                IsInteractive = context.RunDependencies.Any(dependency =>
                    dependency.Subject == unit.Subject
                    && context.Runs.Any(run =>
                        run.Id == dependency.RunId && run.Priority == RunPriority.Interactive && RunStates.Open.Contains(run.State)
                    )
                ),
            })
            .ToListAsync(cancellationToken);
        return found.ConvertAll(row =>
        {
            row.Unit.Priority = row.IsInteractive ? RunPriority.Interactive : RunPriority.Bulk;
            return row.Unit;
        });
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

        var othersWait = await context.RunDependencies.AnyAsync(
            d =>
                d.Subject == subject
                && d.RunId != runId
                && context.Runs.Any(run =>
                    run.Id == d.RunId
                    && RunStates.Open.Contains(run.State)
                    && (
                        run.Priority == RunPriority.Interactive
                        || context.Runs.Any(self => self.Id == runId && self.Priority == RunPriority.Bulk)
                    )
                ),
            cancellationToken
        );
        if (!othersWait)
        {
            await context
                .WorkUnits.Where(unit => unit.Subject == subject && unit.State == UnitState.Pending)
                .ExecuteUpdateAsync(unit => unit.SetProperty(u => u.SentAt, (DateTime?)null), cancellationToken);
        }
    }
}
