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

    /// <summary>
    /// Takes the row lock of an ingestion to the end of the transaction. Whoever joins or collects one begins with it, so that
    /// none is collected while a run joins it.
    /// </summary>
    /// <returns>False when there is no such ingestion.</returns>
    public static async Task<bool> LockIngestionAsync(this CatalogContext context, string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.Ingestions.Where(row => row.Key == key).ExecuteUpdateAsync(row => row.SetProperty(i => i.PartCount, i => i.PartCount), cancellationToken) == 1;
    }

    /// <summary>The same for a feature set.</summary>
    /// <returns>False when there is no such feature set.</returns>
    public static async Task<bool> LockFeatureSetAsync(this CatalogContext context, string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.FeatureSets.Where(row => row.Key == key).ExecuteUpdateAsync(row => row.SetProperty(s => s.ShardCount, s => s.ShardCount), cancellationToken) == 1;
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
