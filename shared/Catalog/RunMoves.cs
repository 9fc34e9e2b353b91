using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>The guarded changes of a run's state: each is one UPDATE that names the state it leaves.</summary>
public static class RunMoves
{
    /// <summary>Moves a run on. Leaving and entering the same state only takes the row's lock.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="runId">The run.</param>
    /// <param name="from">The state it leaves.</param>
    /// <param name="to">The state it enters.</param>
    /// <param name="now">The time of the move (UTC).</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>False when the run is not in the state it is to leave: then nothing was done, and nothing is to be planned.</returns>
    public static async Task<bool> MoveRunAsync(
        this CatalogContext context,
        Guid runId,
        RunState from,
        RunState to,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        var entered = from == to ? null : RunStates.Entered.FirstOrDefault(entry => entry.State == to);
        return await context
                .Runs.Where(run => run.Id == runId && run.State == from)
                .ExecuteUpdateAsync(
                    run =>
                    {
                        run.SetProperty(r => r.State, to);
                        if (entered is not null)
                        {
                            run.SetProperty(entered.EnteredAt, (DateTime?)now);
                        }

                        if (to == RunState.Completed)
                        {
                            run.SetProperty(r => r.FinishedAt, now);
                        }
                    },
                    cancellationToken
                ) == 1;
    }

    /// <summary>Ends those of some runs that are open.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="state">Failed or cancelled.</param>
    /// <param name="failure">Why, where they fail.</param>
    /// <param name="now">The time of the end (UTC).</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>How many were.</returns>
    public static Task<int> EndAsync(
        this IQueryable<Run> runs,
        RunState state,
        JobFailure? failure,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        var (reason, cause) = (failure?.Reason, failure?.Cause);
        return runs.Where(run => RunStates.Open.Contains(run.State))
            .ExecuteUpdateAsync(
                run =>
                    run.SetProperty(r => r.State, state)
                        .SetProperty(r => r.Failure, reason)
                        .SetProperty(r => r.FailureCause, cause)
                        .SetProperty(r => r.FinishedAt, now),
                cancellationToken
            );
    }
}
