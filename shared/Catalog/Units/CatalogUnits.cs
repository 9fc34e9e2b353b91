using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Planning units inside a transaction.</summary>
public static class CatalogUnits
{
    /// <summary>Plans units that do not exist yet.</summary>
    public static void PlanUnits(this CatalogContext context, UnitKind kind, string subject, IEnumerable<int> steps, string? traceParent, DateTime now)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.WorkUnits.AddRange(steps.Select(step => new WorkUnit
        {
            Kind = kind,
            Subject = subject,
            Step = step,
            CreatedAt = now,
            TraceParent = traceParent,
        }));
    }

    /// <summary>Makes a run need the units of a subject. Units that were given up, or whose messages nobody heard, may be tried again.</summary>
    public static async Task DependAsync(this CatalogContext context, Guid runId, string subject, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!await context.RunDependencies.AnyAsync(d => d.RunId == runId && d.Subject == subject, cancellationToken))
        {
            context.RunDependencies.Add(new RunDependency { RunId = runId, Subject = subject });
        }

        await context.WorkUnits
            .Where(unit => unit.Subject == subject && unit.State == UnitState.Failed)
            .ExecuteUpdateAsync(
                unit => unit
                    .SetProperty(u => u.State, UnitState.Pending)
                    .SetProperty(u => u.Starts, 0)
                    .SetProperty(u => u.SentAt, (DateTime?)null),
                cancellationToken);

        var othersWait = await context.RunDependencies.AnyAsync(
            d => d.Subject == subject && d.RunId != runId && context.Runs.Any(run => run.Id == d.RunId && RunStates.Open.Contains(run.State)),
            cancellationToken);
        if (!othersWait)
        {
            await context.WorkUnits
                .Where(unit => unit.Subject == subject && unit.State == UnitState.Pending)
                .ExecuteUpdateAsync(unit => unit.SetProperty(u => u.SentAt, (DateTime?)null), cancellationToken);
        }
    }
}
