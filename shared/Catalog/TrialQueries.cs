namespace Distributed.Catalog;

/// <summary>Reads what belongs to trials.</summary>
public static class TrialQueries
{
    /// <summary>The best heads of a run's trials, that of the lowest validation loss first, and of each trial the latest first.</summary>
    public static IQueryable<Checkpoint> BestHeads(this CatalogContext context, Guid runId)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context
            .Checkpoints.Where(checkpoint => checkpoint.RunId == runId && checkpoint.Kind == CheckpointKind.Best)
            .Join(
                context.Trials.Where(trial => trial.RunId == runId),
                checkpoint => checkpoint.Trial,
                trial => trial.Number,
                (checkpoint, trial) => new { Checkpoint = checkpoint, trial.ValidationLoss }
            )
            .OrderBy(found => found.ValidationLoss ?? double.MaxValue)
            .ThenBy(found => found.Checkpoint.Trial)
            .ThenByDescending(found => found.Checkpoint.Slice)
            .Select(found => found.Checkpoint);
    }

    /// <summary>The epochs of a trial, in their order.</summary>
    public static IQueryable<EpochMetric> EpochsOf(this CatalogContext context, Guid runId, int trial)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.EpochMetrics.Where(epoch => epoch.RunId == runId && epoch.Trial == trial).OrderBy(epoch => epoch.Epoch);
    }
}
