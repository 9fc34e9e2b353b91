using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>What open runs need. All that asks for it asks here.</summary>
public static class OpenRunQueries
{
    /// <summary>Runs that have not ended.</summary>
    public static IQueryable<Run> OpenRuns(this CatalogContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Runs.Where(run => RunStates.Open.Contains(run.State));
    }

    /// <summary>The open runs that need a subject.</summary>
    public static IQueryable<Run> OpenRunsThatNeed(this CatalogContext context, string subject)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.OpenRuns().Where(run => context.RunDependencies.Any(d => d.RunId == run.Id && d.Subject == subject));
    }

    /// <summary>The subjects that open runs need, one row for each run.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="priority">Only those that runs of this priority need; null for all.</param>
    public static IQueryable<RunDependency> OpenDependencies(this CatalogContext context, RunPriority? priority = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        var runs = priority is { } one ? context.OpenRuns().Where(run => run.Priority == one) : context.OpenRuns();
        return context.RunDependencies.Where(dependency => runs.Any(run => run.Id == dependency.RunId));
    }

    /// <summary>Those of some units that an open run needs.</summary>
    public static IQueryable<WorkUnit> NeededByOpenRuns(this IQueryable<WorkUnit> units, CatalogContext context)
    {
        var needed = context.OpenDependencies();
        return units.Where(unit => needed.Any(dependency => dependency.Subject == unit.Subject));
    }

    /// <summary>Those of some units that wait for a worker: nobody has begun them, or the one that did is silent for longer than its lease.</summary>
    public static IQueryable<WorkUnit> Unclaimed(this IQueryable<WorkUnit> units) =>
        units.Where(unit => unit.State == UnitState.Pending || (unit.State == UnitState.Running && unit.LeaseUntil < DateTime.UtcNow));

    /// <summary>Those of some units that have a priority: interactive where an open interactive run needs them.</summary>
    public static IQueryable<WorkUnit> OfPriority(this IQueryable<WorkUnit> units, CatalogContext context, RunPriority priority)
    {
        var isInteractive = priority == RunPriority.Interactive;
        var interactive = context.OpenDependencies(RunPriority.Interactive);
        return units.Where(unit => isInteractive == interactive.Any(dependency => dependency.Subject == unit.Subject));
    }

    /// <summary>Reads units, each with the priority of the runs that need it.</summary>
    public static async Task<List<WorkUnit>> ToListWithPriorityAsync(
        this IQueryable<WorkUnit> units,
        CatalogContext context,
        CancellationToken cancellationToken
    )
    {
        var interactive = context.OpenDependencies(RunPriority.Interactive);
        var found = await units
            .Select(unit => new { Unit = unit, IsInteractive = interactive.Any(dependency => dependency.Subject == unit.Subject) })
            .ToListAsync(cancellationToken);
        return found.ConvertAll(row =>
        {
            row.Unit.Priority = row.IsInteractive ? RunPriority.Interactive : RunPriority.Bulk;
            return row.Unit;
        });
    }
}
