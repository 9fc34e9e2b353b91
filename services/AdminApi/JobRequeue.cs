using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi;

/// <summary>The result of asking to requeue something.</summary>
internal enum RequeueOutcome
{
    /// <summary>It is on its way again.</summary>
    Requeued,

    /// <summary>There is nothing to requeue: it has not failed, or was requeued already.</summary>
    NotFailed,

    /// <summary>There is no run left that needs it.</summary>
    NotNeeded,

    /// <summary>There is no such thing.</summary>
    Unknown,
}

/// <summary>Requeues what was given up: failed jobs, by opening their runs again, and messages that nobody could read.</summary>
internal sealed class JobRequeue(
    IDbContextFactory<CatalogContext> contexts,
    RunOperations operations,
    IMessageRequeue messages,
    TimeProvider time
)
{
    /// <summary>Most runs that a job that they share opens again at once.</summary>
    private const int MostRuns = 1000;

    /// <summary>Requeues a failed job of a run, and opens the run again.</summary>
    public async Task<RequeueOutcome> RequeueAsync(Guid runId, long jobId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var job = await context.JobsOf(runId).AsNoTracking().SingleOrDefaultAsync(row => row.Id == jobId, cancellationToken);
        if (job is null)
        {
            return RequeueOutcome.Unknown;
        }

        if (job.State != JobState.Failed || await operations.RetryAsync(runId, actor, cancellationToken) != RetryOutcome.Reopened)
        {
            return RequeueOutcome.NotFailed;
        }

        context.Audit(actor, AuditAction.JobRequeued, $"{runId:D}", Now(), $"{job.Kind} #{job.Step}");
        await context.SaveChangesAsync(cancellationToken);
        return RequeueOutcome.Requeued;
    }

    /// <summary>Requeues a dead letter: a job with the runs that failed for it, or a message as it was.</summary>
    public async Task<RequeueOutcome> RequeueAsync(Guid letterId, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var letter = await context.DeadLetters.AsNoTracking().SingleOrDefaultAsync(row => row.Id == letterId, cancellationToken);
        if (letter is null)
        {
            return RequeueOutcome.Unknown;
        }

        if (letter.RequeuedAt is not null)
        {
            return RequeueOutcome.NotFailed;
        }

        var outcome = letter is { Queue: { } queue, Body: { } body }
            ? await SendAsync(queue, body, letter.ContentType, cancellationToken)
            : await ReopenAsync(context, letter, actor, cancellationToken);
        if (outcome != RequeueOutcome.Requeued)
        {
            return outcome;
        }

        // Last: where it is not written, asking again does no harm.
        var now = Now();
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await context
            .DeadLetters.Where(row => row.Id == letterId && row.RequeuedAt == null)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.RequeuedAt, now).SetProperty(r => r.RequeuedBy, actor.Name),
                cancellationToken
            );
        context.Audit(actor, AuditAction.DeadLetterRequeued, $"{letterId:D}", now, letter.JobKind ?? letter.Queue);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return RequeueOutcome.Requeued;
    }

    private async Task<RequeueOutcome> SendAsync(string queue, byte[] body, string? contentType, CancellationToken cancellationToken)
    {
        await messages.SendAsync(queue, body, contentType, cancellationToken);
        return RequeueOutcome.Requeued;
    }

    private async Task<RequeueOutcome> ReopenAsync(
        CatalogContext context,
        DeadLetter letter,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        var job = new JobKey(letter.JobKind!, letter.JobScope!, letter.JobStep!.Value);
        if (await context.Job(job).AnyAsync(row => row.State != JobState.Failed, cancellationToken))
        {
            return RequeueOutcome.NotFailed;
        }

        var runs = await context
            .Runs.Where(run =>
                run.State == Contracts.RunState.Failed
                && run.FailureCause == FailureCause.Attempts
                && context.RunDependencies.Any(dependency => dependency.RunId == run.Id && dependency.Scope == job.Scope)
            )
            .OrderBy(run => run.SubmittedAt)
            .Select(run => run.Id)
            .Take(MostRuns)
            .ToListAsync(cancellationToken);
        foreach (var runId in runs)
        {
            await operations.RetryAsync(runId, actor, cancellationToken);
        }

        return runs.Count == 0 ? RequeueOutcome.NotNeeded : RequeueOutcome.Requeued;
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
