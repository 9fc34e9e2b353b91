using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Which jobs open runs need, and with which priority.</summary>
public static class DemandQueries
{
    /// <summary>Those of some jobs that an open run needs.</summary>
    public static IQueryable<Job> NeededByOpenRuns(this IQueryable<Job> jobs, JobsContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var needed = context.OpenDemands;
        return jobs.Where(job => needed.Any(demand => demand.Scope == job.Scope));
    }

    /// <summary>Those of some jobs that wait for a worker: none has claimed them, or the lease of the one that did has lapsed.</summary>
    public static IQueryable<Job> Unclaimed(this IQueryable<Job> jobs) =>
        jobs.Where(job => job.State == JobState.Pending || (job.State == JobState.Running && job.LeaseUntil < DateTime.UtcNow));

    /// <summary>Those of some jobs that have a priority: interactive where an open interactive run needs them.</summary>
    public static IQueryable<Job> OfPriority(this IQueryable<Job> jobs, JobsContext context, RunPriority priority)
    {
        ArgumentNullException.ThrowIfNull(context);
        var isInteractive = priority == RunPriority.Interactive;
        var interactive = context.OpenDemands.Where(demand => demand.Priority == RunPriority.Interactive);
        return jobs.Where(job => isInteractive == interactive.Any(demand => demand.Scope == job.Scope));
    }

    /// <summary>Reads jobs, each with the priority of the runs that need it.</summary>
    public static async Task<List<Job>> ToListWithPriorityAsync(
        this IQueryable<Job> jobs,
        JobsContext context,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        var interactive = context.OpenDemands.Where(demand => demand.Priority == RunPriority.Interactive);
        var found = await jobs.Select(job => new { Job = job, IsInteractive = interactive.Any(demand => demand.Scope == job.Scope) })
            .ToListAsync(cancellationToken);
        return found.ConvertAll(row =>
        {
            row.Job.Priority = row.IsInteractive ? RunPriority.Interactive : RunPriority.Bulk;
            return row.Job;
        });
    }

    /// <summary>Whether a fan-out, a chain of slices or a single job is done: the scope has jobs of the kind, and all of them are done.</summary>
    public static async Task<bool> IsSettledAsync(this JobsContext context, string kind, string scope, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var jobs = context.Jobs.Where(job => job.Kind == kind && job.Scope == scope);
        return !await jobs.AnyAsync(job => job.State != JobState.Done, cancellationToken) && await jobs.AnyAsync(cancellationToken);
    }
}
