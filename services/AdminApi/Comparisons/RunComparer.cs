using System.Text.Json;
using Distributed.AdminApi.Images;
using Distributed.AdminApi.Listing;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Registry;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Comparisons;

/// <summary>Puts runs beside each other.</summary>
internal sealed class RunComparer(IDbContextFactory<CatalogContext> contexts, ImageCatalog images)
{
    /// <summary>Compares runs.</summary>
    /// <param name="ids">The runs, each of which is there.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<RunComparison> CompareAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var summaries = await RunList.SummarizeAsync(context, ids, cancellationToken);
        var specifications = await context
            .Runs.Where(run => ids.Contains(run.Id))
            .Select(run => new { run.Id, run.Specification })
            .ToDictionaryAsync(run => run.Id, run => ContractJson.Read(run.Specification), cancellationToken);
        var evaluations = await context
            .Evaluations.Where(row => ids.Contains(row.RunId))
            .Select(row => new Figures
            {
                RunId = row.RunId,
                TestAccuracy = row.TestAccuracy,
                TestAccuracyLow = row.TestAccuracyLow,
                TestAccuracyHigh = row.TestAccuracyHigh,
                UnleakedAccuracy = row.UnleakedAccuracy,
                UnleakedAccuracyLow = row.UnleakedAccuracyLow,
                UnleakedAccuracyHigh = row.UnleakedAccuracyHigh,
                MacroF1 = row.MacroF1,
                TopKAccuracy = row.TopKAccuracy,
                TestLoss = row.TestLoss,
                CalibrationError = row.CalibrationError,
            })
            .ToDictionaryAsync(row => row.RunId, cancellationToken);
        var (test, noTest) = await TestAsync(ids, evaluations, cancellationToken);
        return new RunComparison(
            [.. ids.Select(id => summaries[id])],
            FindDifferences([.. ids.Select(id => specifications[id])]),
            [
                Metric("accuracy", row => new ComparedFigure(row.TestAccuracy, row.TestAccuracyLow, row.TestAccuracyHigh)),
                Metric(
                    "unleakedAccuracy",
                    row =>
                        row.UnleakedAccuracy is { } share
                            ? new ComparedFigure(share, row.UnleakedAccuracyLow, row.UnleakedAccuracyHigh)
                            : null
                ),
                Metric("macroF1", row => new ComparedFigure(row.MacroF1)),
                Metric("topKAccuracy", row => row.TopKAccuracy is { } share ? new ComparedFigure(share) : null),
                Metric("loss", row => new ComparedFigure(row.TestLoss)),
                Metric("calibrationError", row => new ComparedFigure(row.CalibrationError)),
                new ComparedMetric(
                    "duration",
                    [.. ids.Select(id => summaries[id].Seconds.Total is { } seconds ? new ComparedFigure(seconds) : null)]
                ),
            ],
            test,
            noTest
        );

        ComparedMetric Metric(string name, Func<Figures, ComparedFigure?> figure) =>
            new(name, [.. ids.Select(id => evaluations.TryGetValue(id, out var row) ? figure(row) : null)]);
    }

    /// <summary>The settings in which specifications differ. What only labels a run is no difference.</summary>
    private static List<ComparedSetting> FindDifferences(IReadOnlyList<RunSpecification> specifications) =>
        [
            .. RunSettings
                .All.Where(setting => !setting.IsLabel)
                .Where(setting => specifications.Select(setting.TextOf).Distinct(StringComparer.Ordinal).Skip(1).Any())
                .Select(setting => new ComparedSetting(setting.Field, [.. specifications.Select(one => ToJson(setting.ValueOf(one)))])),
        ];

    private static JsonElement ToJson(object? value) =>
        JsonSerializer.SerializeToElement(value is Enum choice ? ChoiceName.Of(choice) : value, ContractJson.Strict);

    private async Task<(PairedTest? Test, string? NoTest)> TestAsync(
        IReadOnlyList<Guid> ids,
        Dictionary<Guid, Figures> evaluations,
        CancellationToken cancellationToken
    )
    {
        if (ids.Count != 2)
        {
            return (null, "Two runs are tested against each other, and no other number.");
        }

        if (evaluations.Count < 2)
        {
            return (null, "Not both runs have a test result.");
        }

        TestPairs pairs;
        try
        {
            pairs = await images.JoinAsync(ids[0], ids[1], cancellationToken);
        }
        catch (StoredFileException exception)
        {
            // The rest of the comparison needs no file.
            return (null, exception.Message);
        }

        if (!pairs.AreSame)
        {
            return (
                null,
                $"They were tested on different images: {pairs.First} and {pairs.Second}, of which {pairs.Common.Count} are the same."
            );
        }

        var compared = ModelComparison.Of(pairs);
        return (
            new PairedTest(
                compared.Images,
                compared.First,
                compared.Second,
                compared.Test.FirstOnly,
                compared.Test.SecondOnly,
                compared.Test.PValue
            ),
            null
        );
    }

    /// <summary>The figures of a test result, without its large documents.</summary>
    private sealed class Figures
    {
        public required Guid RunId { get; init; }
        public required double TestAccuracy { get; init; }
        public required double TestAccuracyLow { get; init; }
        public required double TestAccuracyHigh { get; init; }
        public required double? UnleakedAccuracy { get; init; }
        public required double? UnleakedAccuracyLow { get; init; }
        public required double? UnleakedAccuracyHigh { get; init; }
        public required double MacroF1 { get; init; }
        public required double? TopKAccuracy { get; init; }
        public required double TestLoss { get; init; }
        public required double CalibrationError { get; init; }
    }
}
