using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>What came of charging a job with a start.</summary>
public enum DeliveryFailure
{
    /// <summary>It is charged, and may be sent anew.</summary>
    Recorded,

    /// <summary>It was given up, and its runs with it: it has been charged too often.</summary>
    Failed,

    /// <summary>It does not wait to be started, nobody needs it, or there is none.</summary>
    NotWaiting,
}

/// <summary>
/// The fence around jobs. Every right to a job is won and kept by one UPDATE that names what must still hold;
/// zero rows mean that somebody else has it. Leases are measured by the database's clock alone.
/// </summary>
public sealed class JobStore(IDbContextFactory<CatalogContext> contexts, JobOptions options, TimeProvider time)
{
    /// <summary>Tries to start a job: it must be open, needed by an open run, and held by nobody.</summary>
    /// <param name="job">The job that the message names.</param>
    /// <param name="worker">Who asks.</param>
    /// <param name="redelivered">Whether the broker had given the message to somebody before, who is gone then.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<JobClaim> ClaimAsync(JobKey job, string worker, bool redelivered, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var token = Guid.NewGuid();
        var lease = options.Lease.TotalSeconds;
        var mostStarts = options.MaxAttempts;
        // Most wait to be begun, and need no second question.
        var isReclaimed = false;
        var isStarted =
            await TryClaimAsync(context.Job(job).Where(row => row.State == JobState.Pending))
            || (
                isReclaimed = await TryClaimAsync(
                    context.Job(job).Where(row => row.State == JobState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow))
                )
            );
        if (isStarted)
        {
            var (id, runId) = await IdentifyAsync(context, job, cancellationToken);
            context.Attempts.Add(
                new Attempt
                {
                    Token = token,
                    JobId = id,
                    Worker = worker,
                    StartedAt = Now(),
                    Span = Activity.Current?.Id,
                }
            );
            await context.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            return new JobClaim(ClaimOutcome.Claimed, new JobLease(job, id, token) { RunId = runId }) { IsReclaimed = isReclaimed };
        }

        var poisoned = await context
            .Job(job)
            .NeededByOpenRuns(context)
            .Where(row =>
                row.Attempts >= mostStarts
                && (row.State == JobState.Pending || (row.State == JobState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow)))
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.State, JobState.Failed), cancellationToken);
        var found = await context.Job(job).AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (poisoned == 1)
        {
            await RunFlow.FailDependentsAsync(
                context,
                job.Scope,
                new RunFailure(FailureCause.Attempts, GivenUp(job, found?.LastError)),
                Now(),
                cancellationToken
            );
            await transaction.CommitAsync(cancellationToken);
            return new JobClaim(ClaimOutcome.Poisoned);
        }

        return new JobClaim(
            found switch
            {
                null => ClaimOutcome.Unknown,
                { State: JobState.Done } => ClaimOutcome.Done,
                { State: JobState.Failed } => ClaimOutcome.Closed,
                _ => await context.Job(job).NeededByOpenRuns(context).AnyAsync(cancellationToken) ? ClaimOutcome.Held : ClaimOutcome.Closed,
            }
        );

        async Task<bool> TryClaimAsync(IQueryable<Job> free) =>
            await free.NeededByOpenRuns(context)
                .Where(row => row.Attempts < mostStarts)
                .ExecuteUpdateAsync(
                    row =>
                        row.SetProperty(r => r.State, JobState.Running)
                            .SetProperty(r => r.Attempt, token)
                            .SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(lease))
                            .SetProperty(r => r.Attempts, r => r.Attempts + 1),
                    cancellationToken
                ) == 1;
    }

    /// <summary>Shows a sign of life.</summary>
    /// <returns>False when the job is lost: taken by another, or no open run needs it any more. Stop at once then.</returns>
    public async Task<bool> ExtendAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var seconds = options.Lease.TotalSeconds;
        return await Held(context, lease)
                .NeededByOpenRuns(context)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(seconds)), cancellationToken)
            == 1;
    }

    /// <summary>Commits a job: marks it done and writes what it found out, in one transaction that begins with the guard.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="write">Adds rows and runs updates in the context it is given; may be called more than once, with a fresh context each time.</param>
    /// <param name="cancellationToken">Stops waiting for the database; the outcome is unknown then, and calling again tells.</param>
    /// <returns>False when the job was lost; nothing is written then.</returns>
    public async Task<bool> CommitAsync(
        JobLease lease,
        Func<CatalogContext, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(write);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryCommitAsync(lease, write, cancellationToken);
            }
            catch (DbUpdateException) when (attempt < 5)
            {
                // Another planner inserted the same shared row first; the next try finds it there.
            }
        }
    }

    /// <summary>The spans of what a job goes on from; see <see cref="PrecedingSpans"/>.</summary>
    public async Task<IReadOnlyList<string>> FindPrecedingSpansAsync(JobKey job, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.FindPrecedingSpansAsync(job, cancellationToken);
    }

    /// <summary>Gives a job back unharmed, as a host does that shuts down: it may start again and the start is not counted.</summary>
    /// <returns>False when another worker holds it.</returns>
    public Task<bool> ReleaseAsync(JobLease lease, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Released, JobState.Pending, startsBack: 1, error: null, failure: null, cancellationToken);

    /// <summary>Gives a job back after an unexpected error: it may start again, and the start counts.</summary>
    public Task RetryAsync(JobLease lease, string error, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Retried, JobState.Pending, startsBack: 0, error, failure: null, cancellationToken);

    /// <summary>Gives a job up for good and fails the open runs that need it, both or neither.</summary>
    /// <returns>False when it was lost: then its failure is not ours to tell.</returns>
    public Task<bool> FailAsync(JobLease lease, RunFailure failure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return EndAsync(lease, AttemptOutcome.Failed, JobState.Failed, startsBack: 0, failure.Reason, failure, cancellationToken);
    }

    /// <summary>Tells, for people, what a job waits for while its attempt holds it.</summary>
    public async Task NoteAsync(JobLease lease, string cause, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Attempts.Where(attempt => attempt.Token == lease.Token && attempt.EndedAt == null)
            .ExecuteUpdateAsync(attempt => attempt.SetProperty(a => a.WaitingFor, cause), cancellationToken);
    }

    /// <summary>Whether an earlier attempt at a job never told how it ended: its worker was killed, or the job killed it.</summary>
    public async Task<bool> HasLostWorkerAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Attempts.AnyAsync(
            attempt => attempt.JobId == lease.Id && attempt.Token != lease.Token && attempt.Outcome == null,
            cancellationToken
        );
    }

    /// <summary>Gives a job back together with what must be done before it can go on, both or neither.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="error">What the attempt met with.</param>
    /// <param name="arrange">Changes the catalog in the transaction, and says how the job is left; null to change nothing and keep the job.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>How it was left; null when it was lost or kept.</returns>
    internal async Task<JobState?> SuspendAsync(
        JobLease lease,
        string error,
        Func<CatalogContext, Task<JobState?>> arrange,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // The guard comes first and takes the row's lock; what the job is left as is known only after.
        if (
            await Held(context, lease).ExecuteUpdateAsync(row => row.SetProperty(r => r.LastError, error), cancellationToken) == 0
            || await arrange(context) is not { } state
        )
        {
            return null;
        }

        // Who waits is none the worse for it; who tries again at once must not do so for ever.
        var startsBack = state == JobState.Blocked ? 1 : 0;
        await context.SaveChangesAsync(cancellationToken);
        await Held(context, lease)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, state)
                        .SetProperty(r => r.LeaseUntil, (DateTime?)null)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.Attempts, r => r.Attempts - startsBack),
                cancellationToken
            );
        await CloseAttemptAsync(context, lease, AttemptOutcome.Blocked, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return state;
    }

    /// <summary>Charges a job whose message never came to a start with one all the same: it is sent anew, or is given up when that has happened too often.</summary>
    /// <param name="job">The job.</param>
    /// <param name="reason">What its message met with.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<DeliveryFailure> RecordFailedDeliveryAsync(JobKey job, string reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var mostStarts = options.MaxAttempts;
        var charged = await context
            .Job(job)
            .Where(row => row.State == JobState.Pending)
            .NeededByOpenRuns(context)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.Attempts, r => r.Attempts + 1)
                        .SetProperty(r => r.LastError, reason)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.State, r => r.Attempts + 1 >= mostStarts ? JobState.Failed : JobState.Pending),
                cancellationToken
            );
        if (charged == 0)
        {
            return DeliveryFailure.NotWaiting;
        }

        var state = await context.Job(job).Select(row => row.State).SingleAsync(cancellationToken);
        if (state == JobState.Failed)
        {
            await RunFlow.FailDependentsAsync(
                context,
                job.Scope,
                new RunFailure(FailureCause.Attempts, GivenUp(job, reason)),
                Now(),
                cancellationToken
            );
        }

        await transaction.CommitAsync(cancellationToken);
        return state == JobState.Failed ? DeliveryFailure.Failed : DeliveryFailure.Recorded;
    }

    private static async Task<(long Id, Guid RunId)> IdentifyAsync(CatalogContext context, JobKey job, CancellationToken cancellationToken)
    {
        if (job.IsOfRun)
        {
            return (await context.Job(job).Select(row => row.Id).SingleAsync(cancellationToken), job.RunId);
        }

        var needing = context.OpenRunsThatNeed(job.Scope).OrderBy(run => run.SubmittedAt).Select(run => run.Id);
        var shared = await context.Job(job).Select(row => new { row.Id, RunId = needing.FirstOrDefault() }).SingleAsync(cancellationToken);
        return (shared.Id, shared.RunId);
    }

    private static IQueryable<Job> Held(CatalogContext context, JobLease lease) =>
        context.Jobs.Where(row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == JobState.Running);

    private async Task<bool> TryCommitAsync(
        JobLease lease,
        Func<CatalogContext, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var held = await Held(context, lease)
            .NeededByOpenRuns(context)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, JobState.Done).SetProperty(r => r.LeaseUntil, (DateTime?)null),
                cancellationToken
            );
        if (held == 0)
        {
            // A commit whose answer was lost has left our own token on a job that is done.
            return await context.Jobs.AnyAsync(
                row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == JobState.Done,
                cancellationToken
            );
        }

        await write(context, cancellationToken);
        // Goes to the server with what was written, in one round trip.
        var attempt = context
            .Attach(
                new Attempt
                {
                    Token = lease.Token,
                    JobId = lease.Id,
                    Worker = "",
                    StartedAt = default,
                }
            )
            .Entity;
        (attempt.EndedAt, attempt.Outcome) = (Now(), AttemptOutcome.Done);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private async Task<bool> EndAsync(
        JobLease lease,
        AttemptOutcome outcome,
        JobState state,
        int startsBack,
        string? error,
        RunFailure? failure,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var held = await Held(context, lease)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, state)
                        .SetProperty(r => r.LeaseUntil, (DateTime?)null)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.Attempts, r => r.Attempts - startsBack)
                        .SetProperty(r => r.LastError, r => error ?? r.LastError),
                cancellationToken
            );
        if (held == 1 && failure is not null)
        {
            await RunFlow.FailDependentsAsync(context, lease.Job.Scope, failure, Now(), cancellationToken);
        }

        await CloseAttemptAsync(context, lease, held == 1 ? outcome : AttemptOutcome.Lost, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return held == 1;
    }

    private Task<int> CloseAttemptAsync(
        CatalogContext context,
        JobLease lease,
        AttemptOutcome outcome,
        string? error,
        CancellationToken cancellationToken
    )
    {
        var now = Now();
        return context
            .Attempts.Where(attempt => attempt.Token == lease.Token)
            .ExecuteUpdateAsync(
                attempt =>
                    attempt
                        .SetProperty(a => a.EndedAt, now)
                        .SetProperty(a => a.Outcome, outcome)
                        .SetProperty(a => a.Error, error)
                        .SetProperty(a => a.WaitingFor, (string?)null),
                cancellationToken
            );
    }

    private string GivenUp(JobKey job, string? error) =>
        $"{job.Kind} of step {job.Step} was started {options.MaxAttempts} times without progress and is given up. "
        + (error is null ? "Each time the worker died: look at its log and its memory limit." : $"The last error was: {error}");

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
