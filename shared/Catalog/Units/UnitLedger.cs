using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>What came of charging a unit with a start.</summary>
public enum ChargeOutcome
{
    /// <summary>It is charged, and may be sent anew.</summary>
    Charged,

    /// <summary>It was given up, and its runs with it: it has been charged too often.</summary>
    GivenUp,

    /// <summary>It does not wait to be started, nobody needs it, or there is none.</summary>
    NotWaiting,
}

/// <summary>
/// The fence around units of work. Every right to a unit is won and kept by one UPDATE that names what must still hold;
/// zero rows mean that somebody else has it. Leases are measured by the database's clock alone.
/// </summary>
public sealed class UnitLedger(IDbContextFactory<CatalogContext> contexts, UnitOptions options, TimeProvider time)
{
    /// <summary>Tries to start a unit: it must be open, needed by an open run, and held by nobody.</summary>
    /// <param name="unit">The unit that the message names.</param>
    /// <param name="worker">Who asks.</param>
    /// <param name="redelivered">Whether the broker had given the message to somebody before, who is gone then.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<UnitStart> StartAsync(UnitKey unit, string worker, bool redelivered, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var token = Guid.NewGuid();
        var lease = options.Lease.TotalSeconds;
        var mostStarts = options.MostStarts;
        // Most wait to be begun, and need no second question.
        var isReclaimed = false;
        var isStarted =
            await ClaimAsync(context.Unit(unit).Where(row => row.State == UnitState.Pending))
            || (
                isReclaimed = await ClaimAsync(
                    context.Unit(unit).Where(row => row.State == UnitState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow))
                )
            );
        if (isStarted)
        {
            var (id, runId) = await IdentifyAsync(context, unit, cancellationToken);
            context.Attempts.Add(
                new Attempt
                {
                    Token = token,
                    UnitId = id,
                    Worker = worker,
                    StartedAt = Now(),
                    Span = Activity.Current?.Id,
                }
            );
            await context.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            return new UnitStart(StartOutcome.Started, new UnitLease(unit, id, token) { RunId = runId }) { IsReclaimed = isReclaimed };
        }

        var poisoned = await context
            .Unit(unit)
            .NeededByOpenRuns(context)
            .Where(row =>
                row.Starts >= mostStarts
                && (row.State == UnitState.Pending || (row.State == UnitState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow)))
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.State, UnitState.Failed), cancellationToken);
        var found = await context.Unit(unit).AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (poisoned == 1)
        {
            await RunFlow.FailDependentsAsync(
                context,
                unit.Subject,
                new RunFailure(FailureCause.Attempts, GivenUp(unit, found?.LastError)),
                Now(),
                cancellationToken
            );
            await transaction.CommitAsync(cancellationToken);
            return new UnitStart(StartOutcome.Poisoned);
        }

        return new UnitStart(
            found switch
            {
                null => StartOutcome.Unknown,
                { State: UnitState.Done } => StartOutcome.Done,
                { State: UnitState.Failed } => StartOutcome.Closed,
                _ => await context.Unit(unit).NeededByOpenRuns(context).AnyAsync(cancellationToken)
                    ? StartOutcome.Held
                    : StartOutcome.Closed,
            }
        );

        async Task<bool> ClaimAsync(IQueryable<WorkUnit> free) =>
            await free.NeededByOpenRuns(context)
                .Where(row => row.Starts < mostStarts)
                .ExecuteUpdateAsync(
                    row =>
                        row.SetProperty(r => r.State, UnitState.Running)
                            .SetProperty(r => r.Attempt, token)
                            .SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(lease))
                            .SetProperty(r => r.Starts, r => r.Starts + 1),
                    cancellationToken
                ) == 1;
    }

    /// <summary>Shows a sign of life.</summary>
    /// <returns>False when the unit is lost: taken by another, or no open run needs it any more. Stop at once then.</returns>
    public async Task<bool> ExtendAsync(UnitLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var seconds = options.Lease.TotalSeconds;
        return await Held(context, lease)
                .NeededByOpenRuns(context)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(seconds)), cancellationToken)
            == 1;
    }

    /// <summary>Commits a unit: marks it done and writes what it found out, in one transaction that begins with the guard.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="write">Adds rows and runs updates in the context it is given; may be called more than once, with a fresh context each time.</param>
    /// <param name="cancellationToken">Stops waiting for the database; the outcome is unknown then, and calling again tells.</param>
    /// <returns>False when the unit was lost; nothing is written then.</returns>
    public async Task<bool> CommitAsync(
        UnitLease lease,
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

    /// <summary>The spans of what a unit goes on from; see <see cref="PrecedingSpans"/>.</summary>
    public async Task<IReadOnlyList<string>> FindPrecedingSpansAsync(UnitKey unit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.FindPrecedingSpansAsync(unit, cancellationToken);
    }

    /// <summary>Gives a unit back unharmed, as a host does that shuts down: it may start again and the start is not counted.</summary>
    /// <returns>False when another worker holds it.</returns>
    public Task<bool> ReleaseAsync(UnitLease lease, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Released, UnitState.Pending, startsBack: 1, error: null, failure: null, cancellationToken);

    /// <summary>Gives a unit back after an unexpected error: it may start again, and the start counts.</summary>
    public Task AbandonAsync(UnitLease lease, string error, CancellationToken cancellationToken) =>
        EndAsync(lease, AttemptOutcome.Retried, UnitState.Pending, startsBack: 0, error, failure: null, cancellationToken);

    /// <summary>Gives a unit up for good and fails the open runs that need it, both or neither.</summary>
    /// <returns>False when it was lost: then its failure is not ours to tell.</returns>
    public Task<bool> GiveUpAsync(UnitLease lease, RunFailure failure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return EndAsync(lease, AttemptOutcome.Failed, UnitState.Failed, startsBack: 0, failure.Reason, failure, cancellationToken);
    }

    /// <summary>Tells, for people, what a unit waits for while its attempt holds it.</summary>
    public async Task NoteAsync(UnitLease lease, string cause, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Attempts.Where(attempt => attempt.Token == lease.Token && attempt.EndedAt == null)
            .ExecuteUpdateAsync(attempt => attempt.SetProperty(a => a.WaitingFor, cause), cancellationToken);
    }

    /// <summary>Whether an earlier attempt at a unit never told how it ended: its worker was killed, or the unit killed it.</summary>
    public async Task<bool> HasLostWorkerAsync(UnitLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Attempts.AnyAsync(
            attempt => attempt.UnitId == lease.Id && attempt.Token != lease.Token && attempt.Outcome == null,
            cancellationToken
        );
    }

    /// <summary>Gives a unit back together with what must be done before it can go on, both or neither.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="error">What the attempt met with.</param>
    /// <param name="arrange">Changes the catalog in the transaction, and says how the unit is left; null to change nothing and keep the unit.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>How it was left; null when it was lost or kept.</returns>
    internal async Task<UnitState?> SuspendAsync(
        UnitLease lease,
        string error,
        Func<CatalogContext, Task<UnitState?>> arrange,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // The guard comes first and takes the row's lock; what the unit is left as is known only after.
        if (
            await Held(context, lease).ExecuteUpdateAsync(row => row.SetProperty(r => r.LastError, error), cancellationToken) == 0
            || await arrange(context) is not { } state
        )
        {
            return null;
        }

        // Who waits is none the worse for it; who tries again at once must not do so for ever.
        var startsBack = state == UnitState.Waiting ? 1 : 0;
        await context.SaveChangesAsync(cancellationToken);
        await Held(context, lease)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, state)
                        .SetProperty(r => r.LeaseUntil, (DateTime?)null)
                        .SetProperty(r => r.SentAt, (DateTime?)null)
                        .SetProperty(r => r.Starts, r => r.Starts - startsBack),
                cancellationToken
            );
        await CloseAttemptAsync(context, lease, AttemptOutcome.Blocked, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return state;
    }

    /// <summary>Charges a unit whose message never came to a start with one all the same: it is sent anew, or is given up when that has happened too often.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="reason">What its message met with.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<ChargeOutcome> ChargeAsync(UnitKey unit, string reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var mostStarts = options.MostStarts;
        var charged = await context
            .Unit(unit)
            .Where(row => row.State == UnitState.Pending)
            .NeededByOpenRuns(context)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.Starts, r => r.Starts + 1)
                        .SetProperty(r => r.LastError, reason)
                        .SetProperty(r => r.SentAt, (DateTime?)null)
                        .SetProperty(r => r.State, r => r.Starts + 1 >= mostStarts ? UnitState.Failed : UnitState.Pending),
                cancellationToken
            );
        if (charged == 0)
        {
            return ChargeOutcome.NotWaiting;
        }

        var state = await context.Unit(unit).Select(row => row.State).SingleAsync(cancellationToken);
        if (state == UnitState.Failed)
        {
            await RunFlow.FailDependentsAsync(
                context,
                unit.Subject,
                new RunFailure(FailureCause.Attempts, GivenUp(unit, reason)),
                Now(),
                cancellationToken
            );
        }

        await transaction.CommitAsync(cancellationToken);
        return state == UnitState.Failed ? ChargeOutcome.GivenUp : ChargeOutcome.Charged;
    }

    private static async Task<(long Id, Guid RunId)> IdentifyAsync(
        CatalogContext context,
        UnitKey unit,
        CancellationToken cancellationToken
    )
    {
        if (unit.IsOfRun)
        {
            return (await context.Unit(unit).Select(row => row.Id).SingleAsync(cancellationToken), unit.RunId);
        }

        var needing = context.OpenRunsThatNeed(unit.Subject).OrderBy(run => run.SubmittedAt).Select(run => run.Id);
        var shared = await context
            .Unit(unit)
            .Select(row => new { row.Id, RunId = needing.FirstOrDefault() })
            .SingleAsync(cancellationToken);
        return (shared.Id, shared.RunId);
    }

    private static IQueryable<WorkUnit> Held(CatalogContext context, UnitLease lease) =>
        context.WorkUnits.Where(row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == UnitState.Running);

    private async Task<bool> TryCommitAsync(
        UnitLease lease,
        Func<CatalogContext, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var held = await Held(context, lease)
            .NeededByOpenRuns(context)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, UnitState.Done).SetProperty(r => r.LeaseUntil, (DateTime?)null),
                cancellationToken
            );
        if (held == 0)
        {
            // A commit whose answer was lost has left our own token on a unit that is done.
            return await context.WorkUnits.AnyAsync(
                row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == UnitState.Done,
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
                    UnitId = lease.Id,
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
        UnitLease lease,
        AttemptOutcome outcome,
        UnitState state,
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
                        .SetProperty(r => r.SentAt, (DateTime?)null)
                        .SetProperty(r => r.Starts, r => r.Starts - startsBack)
                        .SetProperty(r => r.LastError, r => error ?? r.LastError),
                cancellationToken
            );
        if (held == 1 && failure is not null)
        {
            await RunFlow.FailDependentsAsync(context, lease.Unit.Subject, failure, Now(), cancellationToken);
        }

        await CloseAttemptAsync(context, lease, held == 1 ? outcome : AttemptOutcome.Lost, error, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return held == 1;
    }

    private Task<int> CloseAttemptAsync(
        CatalogContext context,
        UnitLease lease,
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

    private string GivenUp(UnitKey unit, string? error) =>
        $"{unit.Kind} of step {unit.Step} was started {options.MostStarts} times without progress and is given up. "
        + (error is null ? "Each time the worker died: look at its log and its memory limit." : $"The last error was: {error}");

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
