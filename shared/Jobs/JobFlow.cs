using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Plans what follows within a scope, and unblocks what waited for recomputed data.</summary>
/// <param name="stages">The system's stages.</param>
/// <param name="contexts">The database.</param>
/// <param name="time">The clock of what is planned.</param>
public class JobFlow(JobStages stages, IDbContextFactory<JobsContext> contexts, TimeProvider time) : IJobFlow
{
    /// <summary>The system's stages.</summary>
    protected JobStages Stages => stages;

    /// <summary>The time (UTC) of what is planned now.</summary>
    protected DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <inheritdoc />
    public virtual Task Ready => Task.CompletedTask;

    /// <inheritdoc />
    public async Task<IReadOnlyList<string>> ScheduleNextAsync(JobKey job, CancellationToken cancellationToken) =>
        [.. await PlanNextAsync(job, cancellationToken), .. await UnblockAsync(cancellationToken)];

    /// <inheritdoc />
    public virtual async Task<IReadOnlyList<string>> ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var scopes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var next in stages.All.Where(stage => stage.FollowsAllOf is not null))
        {
            var (kind, followed) = (next.Kind, next.FollowsAllOf!.Kind);
            var jobs = context.Jobs;
            var unplanned = await context
                .OpenDemands.Select(demand => demand.Scope)
                .Distinct()
                .Where(scope =>
                    jobs.Any(job => job.Kind == followed && job.Scope == scope)
                    && !jobs.Any(job => job.Kind == followed && job.Scope == scope && job.State != JobState.Done)
                    && !jobs.Any(job => job.Kind == kind && job.Scope == scope)
                )
                .ToListAsync(cancellationToken);
            foreach (var scope in unplanned)
            {
                scopes.UnionWith(await PlanNextAsync(new JobKey(followed, scope, 0), cancellationToken));
            }
        }

        scopes.UnionWith(await UnblockAsync(cancellationToken));
        return [.. scopes];
    }

    /// <summary>Plans what follows where a stage is done in a scope: the next stage of the scope, and what crosses scopes.</summary>
    /// <param name="job">One of the stage's jobs in the scope.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>Scopes that may have jobs to send.</returns>
    protected async Task<IReadOnlyList<string>> PlanNextAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.IsSettledAsync(job.Kind, job.Scope, cancellationToken))
        {
            return [job.Scope];
        }

        foreach (var next in stages.All.Where(stage => stage.FollowsAllOf?.Kind == job.Kind))
        {
            await PlanOnceAsync(context, next.Kind, job.Scope, cancellationToken);
        }

        return [job.Scope, .. await CrossScopesAsync(job, cancellationToken)];
    }

    /// <summary>Plans what follows in other scopes from a stage that is done in one: nothing, where a system does not say otherwise.</summary>
    /// <param name="job">One of the stage's jobs in the scope; all of them are done.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>Scopes that may have jobs to send.</returns>
    protected virtual Task<IReadOnlyList<string>> CrossScopesAsync(JobKey job, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([]);

    /// <inheritdoc />
    public async Task<IReadOnlyList<string>> UnblockAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var needed = context.OpenDemands;
        var scopes = new List<string>();
        foreach (var job in await context.Jobs.AsNoTracking().Where(job => job.State == JobState.Blocked).ToListAsync(cancellationToken))
        {
            var earlier = stages.Before(job.Kind);
            var isBlocked = await context.Jobs.AnyAsync(
                before =>
                    before.State != JobState.Done
                    && earlier.Contains(before.Kind)
                    && needed.Any(other =>
                        other.Scope == before.Scope && needed.Any(own => own.RunId == other.RunId && own.Scope == job.Scope)
                    ),
                cancellationToken
            );
            if (!isBlocked && await context.UnblockAsync(job.Id, cancellationToken))
            {
                scopes.Add(job.Scope);
            }
        }

        return scopes;
    }

    private async Task PlanOnceAsync(JobsContext context, string kind, string scope, CancellationToken cancellationToken)
    {
        var jobs = context.Jobs.Where(job => job.Scope == scope);
        if (await jobs.AnyAsync(job => job.Kind == kind, cancellationToken))
        {
            return;
        }

        var traceParent = await jobs.Select(job => job.TraceParent).FirstAsync(cancellationToken);
        context.PlanJobs(kind, scope, [0], traceParent, Now);
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException)
        {
            context.ChangeTracker.Clear();
            // Two jobs ended together and the other worker planned it: the job's unique key lets one through.
            if (!await jobs.AnyAsync(job => job.Kind == kind, cancellationToken))
            {
                throw;
            }
        }
    }
}
