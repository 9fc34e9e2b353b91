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

    /// <summary>The open runs that need a scope.</summary>
    public static IQueryable<Run> OpenRunsThatNeed(this CatalogContext context, string scope)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.OpenRuns().Where(run => context.RunDependencies.Any(d => d.RunId == run.Id && d.Scope == scope));
    }

    /// <summary>The scopes that open runs need, one row for each run.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="priority">Only those that runs of this priority need; null for all.</param>
    public static IQueryable<RunDependency> OpenDependencies(this CatalogContext context, RunPriority? priority = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        var runs = priority is { } one ? context.OpenRuns().Where(run => run.Priority == one) : context.OpenRuns();
        return context.RunDependencies.Where(dependency => runs.Any(run => run.Id == dependency.RunId));
    }

    /// <summary>Those of some jobs that an open run needs.</summary>
    public static IQueryable<Job> NeededByOpenRuns(this IQueryable<Job> jobs, CatalogContext context)
    {
        var needed = context.OpenDependencies();
        return jobs.Where(job => needed.Any(dependency => dependency.Scope == job.Scope));
    }

    /// <summary>Those of some jobs that wait for a worker: nobody has begun them, or the one that did is silent for longer than its lease.</summary>
    public static IQueryable<Job> Unclaimed(this IQueryable<Job> jobs) =>
        jobs.Where(job => job.State == JobState.Pending || (job.State == JobState.Running && job.LeaseUntil < DateTime.UtcNow));

    /// <summary>Those of some jobs that have a priority: interactive where an open interactive run needs them.</summary>
    public static IQueryable<Job> OfPriority(this IQueryable<Job> jobs, CatalogContext context, RunPriority priority)
    {
        var isInteractive = priority == RunPriority.Interactive;
        var interactive = context.OpenDependencies(RunPriority.Interactive);
        return jobs.Where(job => isInteractive == interactive.Any(dependency => dependency.Scope == job.Scope));
    }

    /// <summary>Reads jobs, each with the priority of the runs that need it.</summary>
    public static async Task<List<Job>> ToListWithPriorityAsync(
        this IQueryable<Job> jobs,
        CatalogContext context,
        CancellationToken cancellationToken
    )
    {
        var interactive = context.OpenDependencies(RunPriority.Interactive);
        var found = await jobs.Select(job => new
            {
                Job = job,
                IsInteractive = interactive.Any(dependency => dependency.Scope == job.Scope),
            })
            .ToListAsync(cancellationToken);
        return found.ConvertAll(row =>
        {
            row.Job.Priority = row.IsInteractive ? RunPriority.Interactive : RunPriority.Bulk;
            return row.Job;
        });
    }
}
