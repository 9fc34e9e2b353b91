using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Open runs, and how runs join what they share, inside a transaction.</summary>
public static class RunScopes
{
    /// <summary>Runs that have not ended.</summary>
    public static IQueryable<Run> OpenRuns(this CatalogContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Runs.Where(run => RunStates.Open.Contains(run.State));
    }

    /// <summary>The jobs that a run needs, those of shared scopes included.</summary>
    public static IQueryable<Job> JobsOf(this CatalogContext context, Guid runId)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Jobs.Where(job => context.RunDependencies.Any(d => d.RunId == runId && d.Scope == job.Scope));
    }

    /// <summary>The open runs that need a scope.</summary>
    public static IQueryable<Run> OpenRunsThatNeed(this CatalogContext context, string scope)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.OpenRuns().Where(run => context.RunDependencies.Any(d => d.RunId == run.Id && d.Scope == scope));
    }

    /// <summary>
    /// Takes the row lock of an ingestion to the end of the transaction. A run that joins one and the collector begin with it, so
    /// that none is collected while a run joins it.
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

    /// <summary>Makes a run need the jobs of a scope.</summary>
    public static async Task DependAsync(this CatalogContext context, Guid runId, string scope, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!await context.RunDependencies.AnyAsync(d => d.RunId == runId && d.Scope == scope, cancellationToken))
        {
            context.RunDependencies.Add(new RunDependency { RunId = runId, Scope = scope });
        }

        await context.RequeueFailedAsync(runId, scope, cancellationToken);
    }
}
