using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>How long an attempt holds a unit, and how often it may die of it.</summary>
public sealed class UnitOptions : IValidatableObject
{
    /// <summary>An attempt that has shown no sign of life for this long may be replaced. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the holder shows a sign of life, and learns that its run is over where the event was lost. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Starts without progress after which a unit is given up. Default 5.</summary>
    [Range(1, 1000)]
    public int MostStarts { get; set; } = 5;

    /// <summary>
    /// Most units of one subject that wait in a queue, so that no run starves the others; where more workers than that work on the
    /// subject, as many as they are. Messages are sent when half of them are gone. Default 16.
    /// </summary>
    [Range(1, 100_000)]
    public int Queued { get; set; } = 16;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Heartbeat >= Lease)
        {
            yield return new ValidationResult($"is {Heartbeat}; it must be shorter than the lease, which is {Lease}", [nameof(Heartbeat)]);
        }
    }
}

/// <summary>The right to work on a unit and to commit it.</summary>
/// <param name="Unit">The unit.</param>
/// <param name="Id">Its row.</param>
/// <param name="Token">The attempt; also part of the names of files it writes.</param>
public sealed record UnitLease(UnitKey Unit, long Id, Guid Token)
{
    /// <summary>The run that it is done for; where several need it, the one that was submitted first.</summary>
    public Guid RunId { get; init; }

    /// <summary>How often the work was begun under this lease before: after an outage it begins anew.</summary>
    public int Repetition { get; init; }

    /// <summary>
    /// The token as it stands in file names: 32 hexadecimal digits, and <c>-N</c> for a repetition, which may find files of the time before.
    /// </summary>
    public string TokenText => Repetition == 0 ? $"{Token:N}" : $"{Token:N}-{Repetition}";
}

/// <summary>What came of the attempt to start a unit.</summary>
public enum StartOutcome
{
    /// <summary>The caller holds it.</summary>
    Started,

    /// <summary>It is committed already; only its follow-up may be missing.</summary>
    Done,

    /// <summary>Somebody else holds it.</summary>
    Held,

    /// <summary>No open run needs it, or it was given up.</summary>
    Closed,

    /// <summary>It was just given up, and its runs with it: it has been started too often without progress.</summary>
    Poisoned,

    /// <summary>There is no such unit.</summary>
    Unknown,
}

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

/// <summary>What came of the attempt to start a unit.</summary>
/// <param name="Outcome">What came of it.</param>
/// <param name="Lease">The right to work, when started.</param>
public sealed record UnitStart(StartOutcome Outcome, UnitLease? Lease = null)
{
    /// <summary>Whether, when started, it was taken over from a worker that died of it or fell silent.</summary>
    public bool IsReclaimed { get; init; }
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
            await ClaimAsync(Row(context, unit).Where(row => row.State == UnitState.Pending))
            || (
                isReclaimed = await ClaimAsync(
                    Row(context, unit).Where(row => row.State == UnitState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow))
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

        var poisoned = await NeededByAnOpenRun(context, Row(context, unit))
            .Where(row =>
                row.Starts >= mostStarts
                && (row.State == UnitState.Pending || (row.State == UnitState.Running && (redelivered || row.LeaseUntil < DateTime.UtcNow)))
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.State, UnitState.Failed), cancellationToken);
        var found = await Row(context, unit).AsNoTracking().SingleOrDefaultAsync(cancellationToken);
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
                _ => await NeededByAnOpenRun(context, Row(context, unit)).AnyAsync(cancellationToken)
                    ? StartOutcome.Held
                    : StartOutcome.Closed,
            }
        );

        async Task<bool> ClaimAsync(IQueryable<WorkUnit> free) =>
            await NeededByAnOpenRun(context, free)
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
        return await NeededByAnOpenRun(context, Held(context, lease))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(seconds)), cancellationToken)
            == 1;
    }

    /// <summary>
    /// Cuts times that lie ahead, since the database's clock was set back after they were written: else a lease would hold, and a
    /// message count as just sent, for as long as the clock was set back.
    /// </summary>
    public async Task CutTimesAheadAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var lease = options.Lease.TotalSeconds;
        // Hosts may have longer leases than this one.
        var ahead = 10 * lease;
        await context
            .WorkUnits.Where(row => row.State == UnitState.Running && row.LeaseUntil > DateTime.UtcNow.AddSeconds(ahead))
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, r => DateTime.UtcNow.AddSeconds(lease)), cancellationToken);
        await context
            .WorkUnits.Where(row =>
                (row.State == UnitState.Pending || row.State == UnitState.Running) && row.SentAt > DateTime.UtcNow.AddSeconds(lease)
            )
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken);
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
        EndAsync(lease, "released", UnitState.Pending, startsBack: 1, error: null, failure: null, cancellationToken);

    /// <summary>Gives a unit back after an unexpected error: it may start again, and the start counts.</summary>
    public Task AbandonAsync(UnitLease lease, string error, CancellationToken cancellationToken) =>
        EndAsync(lease, error, UnitState.Pending, startsBack: 0, error, failure: null, cancellationToken);

    /// <summary>Gives a unit up for good and fails the open runs that need it, both or neither.</summary>
    /// <returns>False when it was lost: then its failure is not ours to tell.</returns>
    public Task<bool> GiveUpAsync(UnitLease lease, RunFailure failure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return EndAsync(lease, failure.Reason, UnitState.Failed, startsBack: 0, failure.Reason, failure, cancellationToken);
    }

    /// <summary>Tells, for people, what a unit waits for while its attempt holds it.</summary>
    public async Task NoteAsync(UnitLease lease, string cause, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .Attempts.Where(attempt => attempt.Token == lease.Token && attempt.EndedAt == null)
            .ExecuteUpdateAsync(attempt => attempt.SetProperty(a => a.Outcome, cause), cancellationToken);
    }

    /// <summary>Gives a unit back together with what must be done before it can go on, both or neither.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="outcome">What the attempt's record says.</param>
    /// <param name="arrange">Changes the catalog in the transaction, and says how the unit is left; null to change nothing and keep the unit.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>How it was left; null when it was lost or kept.</returns>
    internal async Task<UnitState?> SuspendAsync(
        UnitLease lease,
        string outcome,
        Func<CatalogContext, Task<UnitState?>> arrange,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // The guard comes first and takes the row's lock; what the unit is left as is known only after.
        if (
            await Held(context, lease).ExecuteUpdateAsync(row => row.SetProperty(r => r.LastError, outcome), cancellationToken) == 0
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
        await CloseAttemptAsync(context, lease, outcome, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return state;
    }

    /// <summary>
    /// Chooses the units of a subject whose messages are to be sent now, at most as many as may wait, and marks
    /// them sent.
    /// </summary>
    /// <param name="subject">The subject.</param>
    /// <param name="again">Whether to send those again that were sent but not started: a message may have been lost.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<IReadOnlyList<WorkUnit>> TakeToSendAsync(string subject, bool again, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ofSubject = context.WorkUnits.AsNoTracking().Where(row => row.Subject == subject);
        var counts = await ofSubject
            .Where(row => row.State == UnitState.Running || (row.State == UnitState.Pending && row.SentAt != null))
            .GroupBy(row => row.State)
            .Select(group => new { State = group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.State, group => group.Count, cancellationToken);
        var most = Math.Max(options.Queued, counts.GetValueOrDefault(UnitState.Running));
        var queued = again ? 0 : counts.GetValueOrDefault(UnitState.Pending);
        if (queued > most / 2)
        {
            return [];
        }

        var candidates = await NeededByAnOpenRun(context, ofSubject)
            .Where(row => row.State == UnitState.Pending && (again || row.SentAt == null))
            .OrderBy(row => row.Step)
            .Take(most - queued)
            .ToListWithPriorityAsync(context, cancellationToken);
        var taken = new List<WorkUnit>(candidates.Count);
        // Whoever gets the first one sends the others too: workers that end together need not all try.
        if (candidates.Count == 0 || !await TakeAsync(candidates[0]))
        {
            return taken;
        }

        taken.Add(candidates[0]);
        if (candidates.Count == 1)
        {
            return taken;
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        foreach (var candidate in candidates.Skip(1))
        {
            if (await TakeAsync(candidate))
            {
                taken.Add(candidate);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        return taken;

        async Task<bool> TakeAsync(WorkUnit candidate) =>
            await context
                .WorkUnits.Where(row => row.Id == candidate.Id && row.State == UnitState.Pending && (again || row.SentAt == null))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken) == 1;
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
        var charged = await NeededByAnOpenRun(context, Row(context, unit).Where(row => row.State == UnitState.Pending))
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

        var state = await Row(context, unit).Select(row => row.State).SingleAsync(cancellationToken);
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

    /// <summary>Marks a new unit as sent now, unless it has been started meanwhile.</summary>
    public async Task MarkSentAsync(WorkUnit unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .WorkUnits.Where(row => row.Id == unit.Id && row.State == UnitState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken);
    }

    /// <summary>Marks a unit that waits to be started as sent now.</summary>
    /// <returns>The unit, with the priority that it has now; null when it does not wait, or nobody needs it.</returns>
    public async Task<WorkUnit?> TakeAgainAsync(UnitKey unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var waiting = NeededByAnOpenRun(context, Row(context, unit).Where(row => row.State == UnitState.Pending));
        return await waiting.ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, r => DateTime.UtcNow), cancellationToken) == 1
            ? (await Row(context, unit).AsNoTracking().ToListWithPriorityAsync(context, cancellationToken)).SingleOrDefault()
            : null;
    }

    /// <summary>Takes back that units were sent, where the message could not be.</summary>
    public async Task ReturnUnsentAsync(IEnumerable<WorkUnit> units, CancellationToken cancellationToken)
    {
        var ids = units.Select(unit => unit.Id).ToList();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .WorkUnits.Where(row => ids.Contains(row.Id) && row.State == UnitState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, (DateTime?)null), cancellationToken);
    }

    /// <summary>Makes everything that a process held before it died free again. Only for a process that has the catalog to itself.</summary>
    public async Task TakeOverAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context
            .WorkUnits.Where(row => row.State == UnitState.Running)
            .ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, UnitState.Pending).SetProperty(r => r.LeaseUntil, (DateTime?)null),
                cancellationToken
            );
        await context
            .WorkUnits.Where(row => row.State == UnitState.Pending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.SentAt, (DateTime?)null), cancellationToken);
    }

    private static async Task<(long Id, Guid RunId)> IdentifyAsync(
        CatalogContext context,
        UnitKey unit,
        CancellationToken cancellationToken
    )
    {
        if (unit.IsOfRun)
        {
            return (await Row(context, unit).Select(row => row.Id).SingleAsync(cancellationToken), unit.RunId);
        }

        var shared = await Row(context, unit)
            .Select(row => new
            {
                row.Id,
                RunId = context
                    .Runs.Where(run =>
                        RunStates.Open.Contains(run.State)
                        && context.RunDependencies.Any(dependency => dependency.RunId == run.Id && dependency.Subject == row.Subject)
                    )
                    .OrderBy(run => run.SubmittedAt)
                    .Select(run => run.Id)
                    .FirstOrDefault(),
            })
            .SingleAsync(cancellationToken);
        return (shared.Id, shared.RunId);
    }

    private static IQueryable<WorkUnit> Row(CatalogContext context, UnitKey unit) =>
        context.WorkUnits.Where(row => row.Kind == unit.Kind && row.Subject == unit.Subject && row.Step == unit.Step);

    private static IQueryable<WorkUnit> Held(CatalogContext context, UnitLease lease) =>
        context.WorkUnits.Where(row => row.Id == lease.Id && row.Attempt == lease.Token && row.State == UnitState.Running);

    private static IQueryable<WorkUnit> NeededByAnOpenRun(CatalogContext context, IQueryable<WorkUnit> units) =>
        units.Where(row =>
            context.RunDependencies.Any(dependency =>
                dependency.Subject == row.Subject
                && context.Runs.Any(run => run.Id == dependency.RunId && RunStates.Open.Contains(run.State))
            )
        );

    private async Task<bool> TryCommitAsync(
        UnitLease lease,
        Func<CatalogContext, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var held = await NeededByAnOpenRun(context, Held(context, lease))
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
        (attempt.EndedAt, attempt.Outcome) = (Now(), Attempt.Done);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private async Task<bool> EndAsync(
        UnitLease lease,
        string outcome,
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

        await CloseAttemptAsync(context, lease, held == 1 ? outcome : "lost", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return held == 1;
    }

    private Task<int> CloseAttemptAsync(CatalogContext context, UnitLease lease, string outcome, CancellationToken cancellationToken)
    {
        var now = Now();
        return context
            .Attempts.Where(attempt => attempt.Token == lease.Token)
            .ExecuteUpdateAsync(
                attempt => attempt.SetProperty(a => a.EndedAt, now).SetProperty(a => a.Outcome, outcome),
                cancellationToken
            );
    }

    private string GivenUp(UnitKey unit, string? error) =>
        $"{unit.Kind} of step {unit.Step} was started {options.MostStarts} times without progress and is given up. "
        + (error is null ? "Each time the worker died: look at its log and its memory limit." : $"The last error was: {error}");

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
