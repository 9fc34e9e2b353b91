using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>What dashboards want to know of the catalog, at one moment.</summary>
/// <param name="OpenRuns">Open runs by state.</param>
/// <param name="PendingJobs">Jobs that open runs need and that no worker holds, by kind.</param>
/// <param name="Accuracies">Test accuracies of the latest runs by data set and backbone.</param>
public sealed record CatalogFigures(
    IReadOnlyDictionary<RunState, int> OpenRuns,
    IReadOnlyDictionary<string, int> PendingJobs,
    IReadOnlyList<LatestAccuracy> Accuracies
)
{
    /// <summary>Where counting ends: what there is more of is as many to an operator, and must not cost the database more.</summary>
    public const int MostCounted = 10_000;

    /// <summary>
    /// The runs that accuracies are looked for in. With its number in the text: for a limit that is a parameter Postgres plans as for a tenth of all runs.
    /// </summary>
    private const string LatestCompleted = "select * from runs where state = 'Completed' order by submitted_at desc limit 200";

    private const int MostAccuracies = 20;

    /// <summary>Asks the catalog. What that costs has a bound, however many runs there are: each question is answered from an index, and stops counting.</summary>
    public static async Task<CatalogFigures> ReadAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var open = new Dictionary<RunState, int>();
        foreach (var state in RunStates.Open)
        {
            open[state] = await context
                .Runs.Where(run => run.State == state)
                .OrderBy(run => run.SubmittedAt)
                .Take(MostCounted)
                .CountAsync(cancellationToken);
        }

        var pending = await context
            .Jobs.AsNoTracking()
            .NeededByOpenRuns(context)
            .Unclaimed()
            .OrderBy(job => job.State)
            .Take(MostCounted)
            .GroupBy(job => job.Kind)
            .Select(kind => new { kind.Key, Count = kind.Count() })
            .ToDictionaryAsync(kind => kind.Key, kind => kind.Count, cancellationToken);
        var latest = await context
            .Runs.FromSqlRaw(LatestCompleted)
            .Join(
                context.Evaluations,
                run => run.Id,
                evaluation => evaluation.RunId,
                (run, evaluation) => new { Run = run, evaluation.TestAccuracy }
            )
            .Join(
                context.Datasets,
                run => run.Run.DatasetSha256,
                dataset => dataset.Sha256,
                (run, dataset) =>
                    new
                    {
                        run.Run,
                        run.TestAccuracy,
                        Dataset = dataset.Name,
                    }
            )
            .Join(
                context.FeatureSets,
                run => run.Run.FeatureSetKey,
                set => set.Key,
                (run, set) =>
                    new
                    {
                        run.Run,
                        run.TestAccuracy,
                        run.Dataset,
                        set.BackboneSha256,
                    }
            )
            .Join(
                context.Backbones,
                run => run.BackboneSha256,
                backbone => backbone.Sha256,
                (run, backbone) =>
                    new { run.Run.SubmittedAt, Accuracy = new LatestAccuracy(run.Dataset, backbone.Source, run.TestAccuracy) }
            )
            .OrderByDescending(run => run.SubmittedAt)
            .Select(run => run.Accuracy)
            .ToListAsync(cancellationToken);
        return new CatalogFigures(
            open,
            pending,
            [.. latest.DistinctBy(accuracy => (accuracy.Dataset, accuracy.Backbone)).Take(MostAccuracies)]
        );
    }
}

/// <summary>The test accuracy of the latest run on a data set with a backbone.</summary>
/// <param name="Dataset">The data set's name.</param>
/// <param name="Backbone">What specifications call the backbone.</param>
/// <param name="Accuracy">The share of test images that were classified correctly; 0 to 1.</param>
public sealed record LatestAccuracy(string Dataset, string Backbone, double Accuracy);
