using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>Measures how far stages are.</summary>
internal static class RunProgress
{
    public const string Downloading = "bytes downloaded";
    public const string Packing = "parts of images packed";
    public const string Extracting = "feature shards extracted";
    public const string Comparing = "bases compared";
    public const string Training = "epochs trained";

    /// <summary>Counts the jobs of a scope that are done; null where the run has not come to the scope.</summary>
    public static async Task<StageProgress?> OfJobsAsync(
        CatalogContext catalog,
        string stage,
        string kind,
        string? scope,
        CancellationToken cancellationToken
    )
    {
        if (scope is null)
        {
            return null;
        }

        var jobs = catalog.Jobs.Where(job => job.Kind == kind && job.Scope == scope);
        return new StageProgress(
            stage,
            await jobs.CountAsync(job => job.State == JobState.Done, cancellationToken),
            await jobs.CountAsync(cancellationToken)
        );
    }

    /// <summary>The bytes of a run's first unfinished download.</summary>
    public static async Task<StageProgress?> OfDownloadAsync(CatalogContext catalog, Run run, CancellationToken cancellationToken)
    {
        var download = await catalog
            .Downloads.AsNoTracking()
            .Where(row => row.CompletedAt == null && catalog.RunDependencies.Any(d => d.RunId == run.Id && d.Scope == row.Key))
            .FirstOrDefaultAsync(cancellationToken);
        return download is null ? null : new StageProgress(Downloading, download.BytesDone, download.BytesTotal);
    }

    /// <summary>The candidates that have been compared.</summary>
    public static async Task<StageProgress?> OfComparisonAsync(CatalogContext catalog, Run run, CancellationToken cancellationToken) =>
        new(
            Comparing,
            await catalog.ComparedBases.CountAsync(row => row.RunId == run.Id, cancellationToken),
            CandidateBase.Read(run.Candidates!).Count
        );

    /// <summary>Epochs by Adam, penalties by Newton's method.</summary>
    public static async Task<StageProgress?> OfTrainingAsync(CatalogContext catalog, Run run, CancellationToken cancellationToken)
    {
        var epochs = catalog.EpochMetrics.Where(epoch => epoch.RunId == run.Id);
        var training = ContractJson.Read(run.Specification).Training;
        return training.Optimizer switch
        {
            HeadOptimizer.Adam => new StageProgress(Training, await epochs.CountAsync(cancellationToken), training.Epochs),
            HeadOptimizer.Newton => await OfPenaltiesAsync(
                catalog,
                run,
                training.Penalties.Count,
                await epochs.OrderBy(epoch => epoch.Epoch).ToListAsync(cancellationToken),
                cancellationToken
            ),
            _ => null,
        };
    }

    /// <summary>Newton's method tries penalties until the validation loss only grows, and then refits the head with the best.</summary>
    private static async Task<StageProgress> OfPenaltiesAsync(
        CatalogContext catalog,
        Run run,
        int given,
        List<EpochMetric> tried,
        CancellationToken cancellationToken
    )
    {
        var penalties =
            given > 0
                ? given
                : TrainingSpecification.DefaultPenalties(
                    (
                        await catalog
                            .Ingestions.Where(row => row.Key == run.IngestionKey)
                            .Select(row => row.Summary)
                            .FirstOrDefaultAsync(cancellationToken)
                    )?.Classes
                        ?? 2
                );
        return OfPenalties(penalties, tried);
    }

    /// <summary>How far a path of penalties is, by those that were tried, in their order.</summary>
    public static StageProgress OfPenalties(int penalties, IReadOnlyList<EpochMetric> tried) =>
        tried.Count == penalties
        || (
            tried.Count > 0
            && tried[^1].Penalty * TrainingSpecification.DecreaseWithoutImprovement <= tried.MinBy(step => step.ValidationLoss)!.Penalty
        )
            ? new StageProgress("refitting on training and validation images", 0, null)
            : new StageProgress("penalties tried", tried.Count, penalties);
}
