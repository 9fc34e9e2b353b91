using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Planning jobs inside a transaction.</summary>
public static class JobPlanning
{
    /// <summary>Plans jobs that do not exist yet.</summary>
    /// <returns>Their rows, added to the context.</returns>
    public static IReadOnlyList<Job> PlanJobs(
        this CatalogContext context,
        JobKind kind,
        string scope,
        IEnumerable<int> steps,
        string? traceParent,
        DateTime now
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        Job[] jobs =
        [
            .. steps.Select(step => new Job
            {
                Kind = kind,
                Scope = scope,
                Step = step,
                CreatedAt = now,
                TraceParent = traceParent,
            }),
        ];
        context.Jobs.AddRange(jobs);
        return jobs;
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

    /// <summary>One job.</summary>
    public static IQueryable<Job> Job(this CatalogContext context, JobKey job)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Jobs.Where(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step);
    }

    /// <summary>Lets a job go on that waited for others.</summary>
    /// <returns>False when it does not wait any more.</returns>
    internal static async Task<bool> UnblockAsync(this CatalogContext context, long id, CancellationToken cancellationToken) =>
        await context
            .Jobs.Where(row => row.Id == id && row.State == JobState.Blocked)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, JobState.Pending).SetProperty(r => r.DispatchedAt, (DateTime?)null),
                cancellationToken
            ) == 1;

    /// <summary>Has a job done once more, since what it made is lost. One that is neither done nor given up is on its way already.</summary>
    internal static Task RequeueAsync(this CatalogContext context, JobKey job, string reason, CancellationToken cancellationToken) =>
        context
            .Job(job)
            .Where(row => row.State == JobState.Done || row.State == JobState.Failed)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, JobState.Pending)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.Attempts, 0)
                        .SetProperty(r => r.LastError, reason),
                cancellationToken
            );

    /// <summary>Makes the jobs of a kind and a scope as if they had never been begun, since what they made is collected.</summary>
    public static async Task ResetJobsAsync(this CatalogContext context, JobKind kind, string scope, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var jobs = context.Jobs.Where(job => job.Scope == scope && job.Kind == kind);
        await context.Attempts.Where(attempt => jobs.Any(job => job.Id == attempt.JobId)).ExecuteDeleteAsync(cancellationToken);
        await jobs.ExecuteUpdateAsync(
            job =>
                job.SetProperty(u => u.State, JobState.Pending)
                    .SetProperty(u => u.Attempt, (Guid?)null)
                    .SetProperty(u => u.LeaseUntil, (DateTime?)null)
                    .SetProperty(u => u.DispatchedAt, (DateTime?)null)
                    .SetProperty(u => u.Attempts, 0),
            cancellationToken
        );
    }

    /// <summary>Removes jobs with their attempts.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="scope">Whose.</param>
    /// <param name="kind">Which; null for all.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public static Task DeleteJobsAsync(this CatalogContext context, string scope, JobKind? kind, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Jobs.Where(job => job.Scope == scope && (kind == null || job.Kind == kind)).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>
    /// Lets jobs of a scope be tried again for a run: those that were given up, and those whose messages nobody heard, or
    /// that wait behind those of higher priority than the runs had that needed them so far.
    /// </summary>
    internal static async Task RequeueFailedAsync(
        this CatalogContext context,
        Guid runId,
        string scope,
        CancellationToken cancellationToken
    )
    {
        await context
            .Jobs.Where(job => job.Scope == scope && job.State == JobState.Failed)
            .ExecuteUpdateAsync(
                job =>
                    job.SetProperty(u => u.State, JobState.Pending)
                        .SetProperty(u => u.Attempts, 0)
                        .SetProperty(u => u.DispatchedAt, (DateTime?)null),
                cancellationToken
            );

        if (
            !await context.Jobs.AnyAsync(
                job => job.Scope == scope && job.State == JobState.Pending && job.DispatchedAt != null,
                cancellationToken
            )
        )
        {
            // As of nearly all that run after run has joined: its jobs are done, and who waits need not be looked for.
            return;
        }

        var others = context
            .OpenRunsThatNeed(scope)
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
                .Jobs.Where(job => job.Scope == scope && job.State == JobState.Pending)
                .ExecuteUpdateAsync(job => job.SetProperty(u => u.DispatchedAt, (DateTime?)null), cancellationToken);
        }
    }
}
