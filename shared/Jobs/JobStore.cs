using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>The result of recording a failed delivery.</summary>
public enum DeliveryFailure
{
    /// <summary>It counts as an attempt, and the job may be sent again.</summary>
    Recorded,

    /// <summary>The job has failed, and its runs with it: it has no attempts left.</summary>
    Failed,

    /// <summary>The job does not wait to be claimed, no run needs it, or there is none.</summary>
    NotWaiting,
}

/// <summary>
/// The fence around jobs. The right to a job is won and kept by one UPDATE that names what must still hold; zero rows mean that
/// another worker has it. Leases are measured by the database's clock alone.
/// </summary>
public sealed class JobStore(IDbContextFactory<JobsContext> contexts, JobOptions options, TimeProvider time)
{
    /// <summary>Claims a job: it must be pending or its lease lapsed, and an open run must need it.</summary>
    /// <param name="job">The job that the message names.</param>
    /// <param name="worker">The name of the process that asks.</param>
    /// <param name="redelivered">Whether the message was delivered before, to a worker that is gone then.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<JobClaim> ClaimAsync(JobKey job, string worker, bool redelivered, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var token = Guid.NewGuid();
        var lease = options.Lease.TotalSeconds;
        var maxAttempts = options.MaxAttempts;
        // Most are pending, and need no second query.
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
            var held = await IdentifyAsync(context, job, token, cancellationToken);
            context.Attempts.Add(
                new Attempt
                {
                    Token = token,
                    JobId = held.Id,
                    Worker = worker,
                    StartedAt = Now(),
                    Span = Activity.Current?.Id,
                }
            );
            await context.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            return new JobClaim(ClaimOutcome.Claimed, held) { IsReclaimed = isReclaimed };
        }

        var poisoned = await context
            .Job(job)
            .NeededByOpenRuns(context)
            .Where(row =>
                row.Attempts >= maxAttempts
                && (row.State == JobState.Pending || (row.State == JobState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow)))
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.State, JobState.Failed), cancellationToken);
        var found = await context.Job(job).AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (poisoned == 1)
        {
            await context.FailRunsAsync(
                job.Scope,
                new JobFailure(FailureCause.Attempts, Exhausted(job, found?.LastError)),
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
                .Where(row => row.Attempts < maxAttempts)
                .ExecuteUpdateAsync(
                    row =>
                        row.SetProperty(r => r.State, JobState.Running)
                            .SetProperty(r => r.Attempt, token)
                            .SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(lease))
                            .SetProperty(r => r.Attempts, r => r.Attempts + 1),
                    cancellationToken
                ) == 1;
    }

    /// <summary>Extends the lease.</summary>
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
    /// <param name="write">What it found out.</param>
    /// <param name="cancellationToken">Stops waiting for the database; the outcome is unknown then, and calling again shows it.</param>
    /// <returns>False when the job was lost; nothing is written then.</returns>
    public async Task<bool> CommitAsync(JobLease lease, JobWrite write, CancellationToken cancellationToken)
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

    /// <summary>Releases a job unharmed, as a host that shuts down does: the attempt is not counted.</summary>
    /// <returns>False when another worker holds it.</returns>
    public Task<bool> ReleaseAsync(JobLease lease, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Released, JobState.Pending, refund: 1, error: null, failure: null, cancellationToken);

    /// <summary>Releases a job after an unexpected error: the attempt counts.</summary>
    public Task RetryAsync(JobLease lease, string error, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Retried, JobState.Pending, refund: 0, error, failure: null, cancellationToken);

    /// <summary>Fails a job for good and the open runs that need it, both or neither.</summary>
    /// <returns>False when it was lost: then its failure does not count.</returns>
    public Task<bool> FailAsync(JobLease lease, JobFailure failure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return EndAsync(lease, AttemptOutcome.Failed, JobState.Failed, refund: 0, failure.Reason, failure, cancellationToken);
    }

    /// <summary>Fails the open runs that need a scope.</summary>
    public async Task FailRunsAsync(string scope, JobFailure failure, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.FailRunsAsync(scope, failure, Now(), cancellationToken);
    }

    /// <summary>Records, for people, what a job waits for while its attempt holds it.</summary>
    public async Task NoteAsync(JobLease lease, string cause, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Attempts.Where(attempt => attempt.Token == lease.Token && attempt.EndedAt == null)
            .ExecuteUpdateAsync(attempt => attempt.SetProperty(a => a.WaitingFor, cause), cancellationToken);
    }

    /// <summary>Whether an earlier attempt at a job never recorded how it ended: its worker was killed, or the job killed it.</summary>
    public async Task<bool> HasLostWorkerAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Attempts.AnyAsync(
            attempt => attempt.JobId == lease.Id && attempt.Token != lease.Token && attempt.Outcome == null,
            cancellationToken
        );
    }

    /// <summary>Blocks or requeues a job together with what must be done before it can go on, both or neither.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="error">What the attempt met with.</param>
    /// <param name="arrange">Changes the database in the transaction and returns the state that the job is left in; null to change nothing and keep the job.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>The state it was left in; null when it was lost or kept.</returns>
    public async Task<JobState?> SuspendAsync(
        JobLease lease,
        string error,
        Func<JobsContext, Task<JobState?>> arrange,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(arrange);
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

        // A job that waits loses no attempt; one that is tried again at once must not be so for ever.
        var refund = state == JobState.Blocked ? 1 : 0;
        await context.SaveChangesAsync(cancellationToken);
        await Held(context, lease)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, state)
                        .SetProperty(r => r.LeaseUntil, (DateTime?)null)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.Attempts, r => r.Attempts - refund),
                cancellationToken
            );
        await CloseAttemptAsync(context, lease, AttemptOutcome.Blocked, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return state;
    }

    /// <summary>Counts a message that no worker could handle as an attempt: the job is sent again, or fails when it has no attempts left.</summary>
    /// <param name="job">The job.</param>
    /// <param name="reason">What its message met with.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<DeliveryFailure> RecordFailedDeliveryAsync(JobKey job, string reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var maxAttempts = options.MaxAttempts;
        var recorded = await context
            .Job(job)
            .Where(row => row.State == JobState.Pending)
            .NeededByOpenRuns(context)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.Attempts, r => r.Attempts + 1)
                        .SetProperty(r => r.LastError, reason)
                        .SetProperty(r => r.DispatchedAt, (DateTime?)null)
                        .SetProperty(r => r.State, r => r.Attempts + 1 >= maxAttempts ? JobState.Failed : JobState.Pending),
                cancellationToken
            );
        if (recorded == 0)
        {
            return DeliveryFailure.NotWaiting;
        }

        var state = await context.Job(job).Select(row => row.State).SingleAsync(cancellationToken);
        if (state == JobState.Failed)
        {
            await context.FailRunsAsync(job.Scope, new JobFailure(FailureCause.Attempts, Exhausted(job, reason)), Now(), cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return state == JobState.Failed ? DeliveryFailure.Failed : DeliveryFailure.Recorded;
    }

    private static async Task<JobLease> IdentifyAsync(JobsContext context, JobKey job, Guid token, CancellationToken cancellationToken)
    {
        var needing = context.OpenDemands.Where(demand => demand.Scope == job.Scope).OrderBy(demand => demand.SubmittedAt);
        var found = JobKey.RunIdOf(job.Scope) is { } own
            ? await context
                .Job(job)
                .Select(row => new
                {
                    row.Id,
                    row.TraceParent,
                    RunId = own,
                })
                .SingleAsync(cancellationToken)
            : await context
                .Job(job)
                .Select(row => new
                {
                    row.Id,
                    row.TraceParent,
                    RunId = needing.Select(demand => demand.RunId).FirstOrDefault(),
                })
                .SingleAsync(cancellationToken);
        return new JobLease(job, found.Id, token) { RunId = found.RunId, TraceParent = found.TraceParent };
    }

    private static IQueryable<Job> Held(JobsContext context, JobLease lease) =>
        context.Jobs.Where(row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == JobState.Running);

    private async Task<bool> TryCommitAsync(JobLease lease, JobWrite write, CancellationToken cancellationToken)
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

        await write.RunAsync(context, cancellationToken);
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
        int refund,
        string? error,
        JobFailure? failure,
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
                        .SetProperty(r => r.Attempts, r => r.Attempts - refund)
                        .SetProperty(r => r.LastError, r => error ?? r.LastError),
                cancellationToken
            );
        if (held == 1 && failure is not null)
        {
            await context.FailRunsAsync(lease.Job.Scope, failure, Now(), cancellationToken);
        }

        await CloseAttemptAsync(context, lease, held == 1 ? outcome : AttemptOutcome.Lost, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return held == 1;
    }

    private Task<int> CloseAttemptAsync(
        JobsContext context,
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

    private string Exhausted(JobKey job, string? error) =>
        $"{job.Kind} of step {job.Step} was attempted {options.MaxAttempts} times without progress and has failed. "
        + (error is null ? "Each time the worker died: look at its log and its memory limit." : $"The last error was: {error}");

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
