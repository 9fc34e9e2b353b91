using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Distributed.Pipeline;

/// <summary>Moves runs on from stage to stage, as <see cref="RunStages"/> declares it.</summary>
/// <param name="stages">The stages.</param>
/// <param name="contexts">The catalog.</param>
/// <param name="migration">Says when the catalog can be used.</param>
/// <param name="time">The clock of what is planned.</param>
/// <param name="logger">Logs runs that go on.</param>
public sealed class RunFlow(
    JobStages stages,
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigration migration,
    TimeProvider time,
    ILogger<RunFlow> logger
) : JobFlow(stages, new JobsContextFactory<CatalogContext>(contexts), time)
{
    private const int MostAtOnce = 100;

    private readonly IReadOnlyList<(JobStage Next, RunTransition Transition)> _transitions =
    [
        .. stages.All.Select(stage => (stage, (stage as IRunStage)?.Begins!)).Where(one => one.Item2 is not null),
    ];

    /// <inheritdoc />
    public override Task Ready => migration.Ready;

    /// <inheritdoc />
    public override async Task<IReadOnlyList<string>> ReconcileAsync(CancellationToken cancellationToken)
    {
        var scopes = new List<string>(await base.ReconcileAsync(cancellationToken));
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        foreach (var (_, transition) in _transitions)
        {
            var (kind, jobs) = (transition.After.Kind, context.Jobs);
            var settled = await transition
                .Waiting(context)
                .Select(waiting => waiting.Scope)
                .Distinct()
                .Where(scope =>
                    jobs.Any(job => job.Kind == kind && job.Scope == scope)
                    && !jobs.Any(job => job.Kind == kind && job.Scope == scope && job.State != JobState.Done)
                )
                .ToListAsync(cancellationToken);
            foreach (var scope in settled)
            {
                scopes.AddRange(await PlanNextAsync(new JobKey(kind, scope, 0), cancellationToken));
            }
        }

        return scopes;
    }

    /// <inheritdoc />
    protected override async Task<IReadOnlyList<string>> CrossScopesAsync(JobKey job, CancellationToken cancellationToken)
    {
        var scopes = new List<string>();
        foreach (var (next, transition) in _transitions.Where(one => one.Transition.After.Kind == job.Kind))
        {
            scopes.AddRange(await MoveWaitingAsync(next, transition, job.Scope, cancellationToken));
        }

        if (JobKey.RunIdOf(job.Scope) is { } runId && Stages.For(job.Kind) is IRunStage stage)
        {
            // What this run joined may have been done while it joined: it has committed, now it looks.
            foreach (
                var (_, transition) in _transitions.Where(one =>
                    one.Transition.From == stage.State && one.Transition.After.Kind != job.Kind
                )
            )
            {
                scopes.AddRange(await LookAsync(runId, transition, cancellationToken));
            }
        }

        return scopes;
    }

    private async Task<IReadOnlyList<string>> LookAsync(Guid runId, RunTransition transition, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var joined = await transition
            .Waiting(context)
            .Where(waiting => waiting.RunId == runId)
            .Select(waiting => waiting.Scope)
            .ToListAsync(cancellationToken);
        var scopes = new List<string>(joined);
        foreach (var scope in joined)
        {
            for (var stage = transition.After; stage is not null; stage = stage.FollowsAllOf)
            {
                scopes.AddRange(await PlanNextAsync(new JobKey(stage.Kind, scope, 0), cancellationToken));
            }
        }

        return scopes;
    }

    /// <summary>
    /// Moves on the runs that wait for a scope. Only those are read: thousands of others may need the scope and have gone on long
    /// ago, or not come to it yet, and this is asked after every job.
    /// </summary>
    /// <returns>Scopes that may have jobs to send.</returns>
    private async Task<IReadOnlyList<string>> MoveWaitingAsync(
        JobStage next,
        RunTransition transition,
        string scope,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await transition
            .Waiting(context)
            .Where(waiting => waiting.Scope == scope)
            .Join(context.Runs, waiting => waiting.RunId, run => run.Id, (waiting, run) => new { waiting.RunId, run.TraceParent })
            .ToListAsync(cancellationToken);
        var scopes = new List<string>();
        foreach (var run in found)
        {
            var waiting = new WaitingRun { RunId = run.RunId, Scope = scope };
            scopes.AddRange(await MoveAsync(next, transition, waiting, run.TraceParent, cancellationToken));
        }

        // The worker that moved others may have died before it sent their messages.
        var kind = next.Kind;
        scopes.AddRange(
            await context
                .Jobs.Where(job =>
                    job.State == JobState.Pending
                    && job.DispatchedAt == null
                    && job.Kind == kind
                    && context.RunDependencies.Any(own =>
                        own.Scope == job.Scope
                        && context.RunDependencies.Any(dependency => dependency.RunId == own.RunId && dependency.Scope == scope)
                    )
                )
                .OrderBy(job => job.Id)
                .Select(job => job.Scope)
                .Take(MostAtOnce)
                .ToListAsync(cancellationToken)
        );
        return scopes;
    }

    /// <returns>The scopes of the next stage's jobs, also where another worker moved the run on: it may have died before it sent their messages.</returns>
    private async Task<IReadOnlyList<string>> MoveAsync(
        JobStage next,
        RunTransition transition,
        WaitingRun waiting,
        string? traceParent,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var now = Now;
        var (runId, kind) = (waiting.RunId, next.Kind);
        var isMoved = await context.MoveRunAsync(runId, transition.From, transition.To, now, cancellationToken);
        IReadOnlyList<string> scopes = transition.Scopes is { } of
            ? await of(context, runId).ToListAsync(cancellationToken)
            : [JobKey.ScopeOf(runId)];
        if (!isMoved)
        {
            return scopes;
        }

        // Leaving and entering the same state takes the lock alone: another worker may have planned the job meanwhile.
        if (
            transition.From == transition.To
            && !await transition.Waiting(context).AnyAsync(one => one.RunId == runId && one.Scope == waiting.Scope, cancellationToken)
        )
        {
            return scopes;
        }

        foreach (var scope in scopes)
        {
            var planned = await context
                .Jobs.Where(job => job.Kind == kind && job.Scope == scope)
                .Select(job => new { job.State, job.Step })
                .ToListAsync(cancellationToken);
            if (planned.TrueForAll(job => job.State == JobState.Done))
            {
                var step = planned.Count == 0 ? 0 : planned.Max(job => job.Step) + 1;
                context.PlanJobs(kind, scope, [step], traceParent, now);
            }
        }

        if (transition.Write is { } write)
        {
            await write(context, waiting, cancellationToken);
        }

        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (transition.Log is { } log && logger.IsEnabled(LogLevel.Information))
        {
            using var run = logger.BeginRun(runId, traceParent);
            await log(logger, context, runId, now, cancellationToken);
        }

        return scopes;
    }
}
