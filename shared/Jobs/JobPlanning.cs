using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Planning jobs inside a transaction.</summary>
public static class JobPlanning
{
    /// <summary>Plans jobs that do not exist yet.</summary>
    /// <returns>Their rows, added to the context.</returns>
    public static IReadOnlyList<Job> PlanJobs(
        this JobsContext context,
        string kind,
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

    /// <summary>Plans the slice after a job's own, in the transaction that commits it.</summary>
    /// <param name="context">The transaction's context.</param>
    /// <param name="lease">The right to the job.</param>
    /// <param name="now">The time of planning (UTC).</param>
    public static void PlanNextSlice(this JobsContext context, JobLease lease, DateTime now)
    {
        ArgumentNullException.ThrowIfNull(lease);
        context.PlanJobs(lease.Job.Kind, lease.Job.Scope, [lease.Job.Step + 1], lease.TraceParent, now);
    }

    /// <summary>One job.</summary>
    public static IQueryable<Job> Job(this JobsContext context, JobKey job)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Jobs.Where(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step);
    }

    /// <summary>Requeues a job that is blocked.</summary>
    /// <returns>False when it is not.</returns>
    internal static async Task<bool> UnblockAsync(this JobsContext context, long id, CancellationToken cancellationToken) =>
        await context
            .Jobs.Where(row => row.Id == id && row.State == JobState.Blocked)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, JobState.Pending).SetProperty(r => r.DispatchedAt, (DateTime?)null),
                cancellationToken
            ) == 1;

    /// <summary>Requeues a job, since what it made is lost. One that is neither done nor failed is on its way already.</summary>
    public static Task RequeueAsync(this JobsContext context, JobKey job, string reason, CancellationToken cancellationToken) =>
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

    /// <summary>Resets the jobs of a kind and a scope as if they had never been attempted, since what they made is collected.</summary>
    public static async Task ResetJobsAsync(this JobsContext context, string kind, string scope, CancellationToken cancellationToken)
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
    public static Task DeleteJobsAsync(this JobsContext context, string scope, string? kind, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Jobs.Where(job => job.Scope == scope && (kind == null || job.Kind == kind)).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>
    /// Requeues jobs of a scope for a run: those that failed, and those whose messages nobody consumed, or that wait behind those
    /// of higher priority than the runs had that needed them so far.
    /// </summary>
    public static async Task RequeueFailedAsync(this JobsContext context, Guid runId, string scope, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
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
            // This is so of nearly all that run after run has joined: its jobs are done, and the other runs need not be looked for.
            return;
        }

        var demands = context.OpenDemands;
        var others = demands.Where(other =>
            other.Scope == scope
            && other.RunId != runId
            && (other.Priority == RunPriority.Interactive || demands.Any(self => self.RunId == runId && self.Priority == RunPriority.Bulk))
        );
        if (!await others.AnyAsync(cancellationToken))
        {
            await context
                .Jobs.Where(job => job.Scope == scope && job.State == JobState.Pending)
                .ExecuteUpdateAsync(job => job.SetProperty(u => u.DispatchedAt, (DateTime?)null), cancellationToken);
        }
    }
}
