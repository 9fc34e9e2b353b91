using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>Has damaged checkpoints recomputed: they are made by a chain of slices, which goes on rather than being done again.</summary>
public sealed class CheckpointRecovery(JobOptions options, TimeProvider time)
{
    /// <summary>Plans what recomputes a checkpoint, in a transaction.</summary>
    /// <returns>Null where the file is not a checkpoint.</returns>
    internal async Task<RecoveryPlan?> PlanAsync(
        CatalogContext context,
        JobLease lease,
        string path,
        CancellationToken cancellationToken
    ) =>
        await context.Checkpoints.AsNoTracking().SingleOrDefaultAsync(row => row.File.Path == path, cancellationToken) switch
        {
            null => null,
            { Kind: CheckpointKind.Last } last => await GoBackAsync(context, last, cancellationToken),
            var best => await ExportAgainAsync(context, lease, best, cancellationToken),
        };

    /// <summary>Training goes on from the checkpoint before, or from the beginning; what came after it is forgotten.</summary>
    private static async Task<RecoveryPlan> GoBackAsync(CatalogContext context, Checkpoint damaged, CancellationToken cancellationToken)
    {
        var ofTrial = context.Checkpoints.Where(row => row.RunId == damaged.RunId && row.Trial == damaged.Trial);
        var epoch = await ofTrial
            .Where(row => row.Kind == CheckpointKind.Last && row.Slice < damaged.Slice)
            .OrderByDescending(row => row.Slice)
            .Select(row => row.Epoch)
            .FirstOrDefaultAsync(cancellationToken);
        await ofTrial.Where(row => row.Slice >= damaged.Slice).ExecuteDeleteAsync(cancellationToken);
        await context
            .EpochMetrics.Where(row => row.RunId == damaged.RunId && row.Trial == damaged.Trial && row.Epoch > epoch)
            .ExecuteDeleteAsync(cancellationToken);
        return RecoveryPlan.TryAgain;
    }

    /// <summary>The trainer's last state holds the best head: one more slice writes it again.</summary>
    private async Task<RecoveryPlan> ExportAgainAsync(
        CatalogContext context,
        JobLease lease,
        Checkpoint damaged,
        CancellationToken cancellationToken
    )
    {
        // Each time by a job of its own, so that it is the reader's attempts that tell how often.
        if (
            await context.Attempts.CountAsync(
                attempt => attempt.JobId == lease.Id && attempt.Outcome == AttemptOutcome.Blocked,
                cancellationToken
            ) >= options.MaxAttempts
        )
        {
            return RecoveryPlan.Hopeless;
        }

        var scope = JobKey.ScopeOf(damaged.RunId, damaged.Trial);
        var slices = context.Jobs.Where(job => job.Kind == nameof(TrainHead) && job.Scope == scope);

        await context
            .Checkpoints.Where(row => row.RunId == damaged.RunId && row.Trial == damaged.Trial && row.Kind == CheckpointKind.Best)
            .ExecuteDeleteAsync(cancellationToken);
        if (!await slices.AnyAsync(job => job.State != JobState.Done, cancellationToken))
        {
            var next = (await slices.MaxAsync(job => (int?)job.Step, cancellationToken) ?? -1) + 1;
            var traceParent = await context
                .Runs.Where(run => run.Id == damaged.RunId)
                .Select(run => run.TraceParent)
                .SingleAsync(cancellationToken);
            context.PlanJobs(nameof(TrainHead), scope, [next], traceParent, time.GetUtcNow().UtcDateTime);
        }

        return RecoveryPlan.WaitFor(scope);
    }
}
