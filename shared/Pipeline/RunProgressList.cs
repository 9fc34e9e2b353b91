using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>What the progress of an open run is measured by.</summary>
/// <param name="RunId">The run.</param>
/// <param name="State">Where it is.</param>
/// <param name="IngestionKey">Its ingestion, once known.</param>
/// <param name="FeatureSetKey">Its features, once known.</param>
/// <param name="DatasetSha256">Its data set, once known.</param>
public sealed record OpenRun(Guid RunId, RunState State, string? IngestionKey, string? FeatureSetKey, string? DatasetSha256);

/// <summary>Measures how far many runs are: a question for each kind of thing that is counted, however many runs there are.</summary>
internal static class RunProgressList
{
    public static async Task<Dictionary<Guid, StageProgress>> MeasureAsync(
        CatalogContext catalog,
        IReadOnlyList<OpenRun> runs,
        CancellationToken cancellationToken
    )
    {
        var found = new Dictionary<Guid, StageProgress>();
        var ingesting = runs.Where(run => run.State == RunState.Ingesting).ToList();
        await AddDownloadsAsync(catalog, [.. ingesting.Where(run => run.IngestionKey is null)], found, cancellationToken);
        await AddJobsAsync(
            catalog,
            RunProgress.Packing,
            nameof(PackImages),
            [.. ingesting.Where(run => run.IngestionKey is not null)],
            run => run.IngestionKey!,
            found,
            cancellationToken
        );
        await AddJobsAsync(
            catalog,
            RunProgress.Extracting,
            nameof(ExtractFeatures),
            [.. runs.Where(run => run is { State: RunState.Extracting, FeatureSetKey: not null })],
            run => run.FeatureSetKey!,
            found,
            cancellationToken
        );
        await AddComparisonsAsync(catalog, [.. runs.Where(run => run.State == RunState.Comparing)], found, cancellationToken);
        await AddTrainingAsync(catalog, [.. runs.Where(run => run.State == RunState.Training)], found, cancellationToken);
        return found;
    }

    private static async Task AddDownloadsAsync(
        CatalogContext catalog,
        IReadOnlyList<OpenRun> runs,
        Dictionary<Guid, StageProgress> found,
        CancellationToken cancellationToken
    )
    {
        if (runs.Count == 0)
        {
            return;
        }

        Guid[] ids = [.. runs.Select(run => run.RunId)];
        var downloads = await catalog
            .Downloads.Where(row => row.CompletedAt == null)
            .Join(
                catalog.RunDependencies.Where(need => ids.Contains(need.RunId)),
                download => download.Key,
                need => need.Scope,
                (download, need) =>
                    new
                    {
                        need.RunId,
                        download.BytesDone,
                        download.BytesTotal,
                    }
            )
            .ToListAsync(cancellationToken);
        foreach (var download in downloads)
        {
            found.TryAdd(download.RunId, new StageProgress(RunProgress.Downloading, download.BytesDone, download.BytesTotal));
        }
    }

    private static async Task AddJobsAsync(
        CatalogContext catalog,
        string stage,
        string kind,
        IReadOnlyList<OpenRun> runs,
        Func<OpenRun, string> scopeOf,
        Dictionary<Guid, StageProgress> found,
        CancellationToken cancellationToken
    )
    {
        if (runs.Count == 0)
        {
            return;
        }

        string[] scopes = [.. runs.Select(scopeOf).Distinct(StringComparer.Ordinal)];
        var counts = await catalog
            .Jobs.Where(job => job.Kind == kind && scopes.Contains(job.Scope))
            .GroupBy(job => job.Scope)
            .Select(jobs => new
            {
                jobs.Key,
                Done = jobs.Count(job => job.State == JobState.Done),
                Total = jobs.Count(),
            })
            .ToDictionaryAsync(jobs => jobs.Key, cancellationToken);
        foreach (var run in runs)
        {
            var count = counts.GetValueOrDefault(scopeOf(run));
            found.TryAdd(run.RunId, new StageProgress(stage, count?.Done ?? 0, count?.Total ?? 0));
        }
    }

    private static async Task AddComparisonsAsync(
        CatalogContext catalog,
        IReadOnlyList<OpenRun> runs,
        Dictionary<Guid, StageProgress> found,
        CancellationToken cancellationToken
    )
    {
        if (runs.Count == 0)
        {
            return;
        }

        Guid[] ids = [.. runs.Select(run => run.RunId)];
        var comparing = await catalog
            .Runs.Where(run => ids.Contains(run.Id) && run.Candidates != null)
            .Select(run => new
            {
                run.Id,
                run.Candidates,
                Done = catalog.ComparedBases.Count(row => row.RunId == run.Id),
            })
            .ToListAsync(cancellationToken);
        foreach (var run in comparing)
        {
            found[run.Id] = new StageProgress(RunProgress.Comparing, run.Done, CandidateBase.Read(run.Candidates!).Count);
        }
    }

    private static async Task AddTrainingAsync(
        CatalogContext catalog,
        IReadOnlyList<OpenRun> runs,
        Dictionary<Guid, StageProgress> found,
        CancellationToken cancellationToken
    )
    {
        if (runs.Count == 0)
        {
            return;
        }

        Guid[] ids = [.. runs.Select(run => run.RunId)];
        var specifications = await catalog
            .Runs.Where(run => ids.Contains(run.Id))
            .Select(run => new
            {
                run.Id,
                run.Specification,
                Classes = catalog
                    .Datasets.Where(dataset => dataset.Sha256 == run.DatasetSha256)
                    .Select(dataset => dataset.ClassNames.Count)
                    .FirstOrDefault(),
            })
            .ToListAsync(cancellationToken);
        var training = specifications.Select(run => (run.Id, run.Classes, ContractJson.Read(run.Specification).Training)).ToList();
        Guid[] byEpoch = [.. training.Where(run => run.Training.Optimizer == HeadOptimizer.Adam).Select(run => run.Id)];
        var epochs = await catalog
            .EpochMetrics.Where(epoch => byEpoch.Contains(epoch.RunId))
            .GroupBy(epoch => epoch.RunId)
            .Select(ofRun => new { ofRun.Key, Count = ofRun.Count() })
            .ToDictionaryAsync(ofRun => ofRun.Key, ofRun => ofRun.Count, cancellationToken);
        Guid[] byPenalty = [.. ids.Except(byEpoch)];
        var penalties = (
            await catalog
                .EpochMetrics.AsNoTracking()
                .Where(epoch => byPenalty.Contains(epoch.RunId))
                .OrderBy(epoch => epoch.Epoch)
                .ToListAsync(cancellationToken)
        ).ToLookup(epoch => epoch.RunId);
        foreach (var (id, classes, settings) in training)
        {
            found[id] =
                settings.Optimizer == HeadOptimizer.Adam
                    ? new StageProgress(RunProgress.Training, epochs.GetValueOrDefault(id), settings.Epochs)
                    : RunProgress.OfPenalties(
                        settings.Penalties.Count > 0
                            ? settings.Penalties.Count
                            : TrainingSpecification.DefaultPenalties(Math.Max(2, classes)),
                        [.. penalties[id]]
                    );
        }
    }
}
