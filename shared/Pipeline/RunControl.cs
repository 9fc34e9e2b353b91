using System.Linq.Expressions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>The result of asking to retry a run.</summary>
public enum RetryOutcome
{
    /// <summary>It goes on from the stage in which it ended.</summary>
    Reopened,

    /// <summary>It has not ended, so it goes on anyway.</summary>
    Open,

    /// <summary>It is complete.</summary>
    Completed,

    /// <summary>It was refused when it was submitted: there is nothing to go on from.</summary>
    Refused,

    /// <summary>There is no such run.</summary>
    Unknown,
}

/// <summary>The result of asking to delete a run.</summary>
public enum DeleteOutcome
{
    /// <summary>Its rows are gone; its files may follow.</summary>
    Deleted,

    /// <summary>It has not ended.</summary>
    Open,

    /// <summary>Its end has not been published yet, and never would be.</summary>
    EndUnpublished,

    /// <summary>It is a version of a model.</summary>
    Registered,

    /// <summary>There is no such run.</summary>
    Unknown,
}

/// <summary>What is done to runs from outside: cancel, retry, delete, time limits. Each is one guarded change of the run's row.</summary>
public sealed class RunControl(IDbContextFactory<CatalogContext> contexts, TimeProvider time) : IWatchdogTask
{
    private const int MostAtOnce = 100;

    /// <summary>The latest state that a run has entered.</summary>
    private static readonly Expression<Func<Run, RunState>> ReachedState = FindReachedState();

    /// <inheritdoc />
    public Task RunAsync(CancellationToken cancellationToken) => FailOverdueAsync(cancellationToken);

    /// <summary>Cancels a run.</summary>
    /// <returns>False when it is unknown or final already.</returns>
    public async Task<bool> CancelAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (await context.Runs.Where(run => run.Id == runId).EndAsync(RunState.Cancelled, failure: null, Now(), cancellationToken) == 0)
        {
            return false;
        }

        context.Audit(actor, AuditAction.RunCancelled, $"{runId:D}", Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>
    /// Opens a run that failed or was cancelled again, at the stage in which it ended. What is done stays done; jobs of its
    /// scopes that failed are requeued, and its time limit begins again.
    /// </summary>
    public async Task<RetryOutcome> RetryAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var scopes = await context
            .RunDependencies.Where(dependency => dependency.RunId == runId)
            .Select(dependency => dependency.Scope)
            .ToListAsync(cancellationToken);
        if (await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == runId, cancellationToken) is not { } run)
        {
            return RetryOutcome.Unknown;
        }

        if (scopes.Count == 0)
        {
            return RetryOutcome.Refused;
        }

        var limit = TimeLimit(run) ?? 0;
        var reopened = await context
            .Runs.Where(row => row.Id == runId && (row.State == RunState.Failed || row.State == RunState.Cancelled))
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, ReachedState)
                        .SetProperty(r => r.Failure, (string?)null)
                        .SetProperty(r => r.FailureCause, (FailureCause?)null)
                        .SetProperty(r => r.FinishedAt, (DateTime?)null)
                        .SetProperty(r => r.EndPublishedAt, (DateTime?)null)
                        .SetProperty(r => r.Deadline, r => r.Deadline == null ? null : DateTime.UtcNow.AddSeconds(limit)),
                cancellationToken
            );
        if (reopened == 0)
        {
            var state = await context
                .Runs.Where(row => row.Id == runId)
                .Select(row => (RunState?)row.State)
                .SingleOrDefaultAsync(cancellationToken);
            return state switch
            {
                null => RetryOutcome.Unknown,
                RunState.Completed => RetryOutcome.Completed,
                _ => RetryOutcome.Open,
            };
        }

        foreach (var scope in scopes)
        {
            await context.RequeueFailedAsync(runId, scope, cancellationToken);
        }

        context.Audit(actor, AuditAction.RunRetried, $"{runId:D}", Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return RetryOutcome.Reopened;
    }

    /// <summary>What a run needs: its own scope, and those that it shares.</summary>
    public async Task<IReadOnlyList<string>> ScopesAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .RunDependencies.Where(dependency => dependency.RunId == runId)
            .Select(dependency => dependency.Scope)
            .ToListAsync(cancellationToken);
    }

    /// <summary>Removes a run that has ended, with all rows that are its own. What it shares with others stays.</summary>
    public async Task<DeleteOutcome> DeleteAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var trials = await context.Trials.Where(trial => trial.RunId == runId).Select(trial => trial.Scope).ToListAsync(cancellationToken);
        string[] own = [JobKey.ScopeOf(runId), .. trials];
        var deleted = await context
            .Runs.Where(run =>
                run.Id == runId
                && !RunStates.Open.Contains(run.State)
                && run.EndPublishedAt != null
                && !context.ModelVersions.Any(version => version.RunId == run.Id)
            )
            .ExecuteDeleteAsync(cancellationToken);
        if (deleted == 0)
        {
            var state = await context
                .Runs.Where(run => run.Id == runId)
                .Select(run => (RunState?)run.State)
                .SingleOrDefaultAsync(cancellationToken);
            return state is not { } found ? DeleteOutcome.Unknown
                : await context.ModelVersions.AnyAsync(version => version.RunId == runId, cancellationToken) ? DeleteOutcome.Registered
                : found.IsFinal() ? DeleteOutcome.EndUnpublished
                : DeleteOutcome.Open;
        }

        foreach (var scope in own)
        {
            await context.DeleteJobsAsync(scope, kind: null, cancellationToken);
        }

        context.Audit(actor, AuditAction.RunDeleted, $"{runId:D}", Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return DeleteOutcome.Deleted;
    }

    /// <summary>Fails the open runs whose time limit has passed.</summary>
    public async Task FailOverdueAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var overdue = await context
            .OpenRuns()
            .AsNoTracking()
            .Where(run => run.FinishedAt == null && run.Deadline < DateTime.UtcNow)
            .OrderBy(run => run.Deadline)
            .Take(MostAtOnce)
            .ToListAsync(cancellationToken);
        var now = Now();
        foreach (var run in overdue)
        {
            var reason =
                $"The time limit of {TimeLimit(run)} s was reached while the run was {run.State.ToString().ToLowerInvariant()}. "
                + "Retry the run, which gives it as long again from where it was, or submit it with a longer timeLimit.";
            // A run that has moved on meanwhile fails in the next scan, with its next state in the reason.
            await context
                .Runs.Where(row => row.Id == run.Id && row.State == run.State)
                .EndAsync(RunState.Failed, new JobFailure(FailureCause.TimeLimit, reason), now, cancellationToken);
        }
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;

    private static Expression<Func<Run, RunState>> FindReachedState()
    {
        var run = Expression.Parameter(typeof(Run), "run");
        Expression state = Expression.Constant(RunStates.Entered[0].State);
        foreach (var entry in RunStates.Entered.Skip(1))
        {
            var entered = new Replacement(entry.EnteredAt.Parameters[0], run).Visit(entry.EnteredAt.Body);
            var isEntered = Expression.NotEqual(entered, Expression.Constant(null, typeof(DateTime?)));
            state = Expression.Condition(isEntered, Expression.Constant(entry.State), state);
        }

        return Expression.Lambda<Func<Run, RunState>>(state, run);
    }

    private static int? TimeLimit(Run run) => ContractJson.Read(run.Specification).TimeLimit;

    private sealed class Replacement(ParameterExpression from, ParameterExpression to) : ExpressionVisitor
    {
        protected override Expression VisitParameter(ParameterExpression node) => node == from ? to : node;
    }
}
