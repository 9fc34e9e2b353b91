using Distributed.AdminApi.Endpoints;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Standalone;

/// <summary>What a completed run came to, for people and programs.</summary>
internal sealed record RunOutcome
{
    public required RunDetail Run { get; init; }

    /// <summary>How its head did, where it trained one.</summary>
    public required EvaluationResult? Evaluation { get; init; }

    /// <summary>Whether the images were packed for this run, rather than for an earlier one.</summary>
    public required bool WasIngested { get; init; }

    /// <summary>The arithmetic of its features; null where it compared bases alone.</summary>
    public required string? Precision { get; init; }

    /// <summary>Side in pixels of what went through the base; null where it compared bases alone.</summary>
    public required int? InputSize { get; init; }

    /// <summary>Numbers that an image was turned into; null where it compared bases alone.</summary>
    public required int? FeatureSize { get; init; }

    /// <summary>The files it made, by what they are called: the report, the head, predictions.</summary>
    public required IReadOnlyList<OutcomeFile> Files { get; init; }

    public required string VolumePath { get; init; }
}

/// <summary>A file that a run made.</summary>
/// <param name="Title">What people call it.</param>
/// <param name="Field">What it is called in the JSON object.</param>
/// <param name="Path">Where it is.</param>
internal sealed record OutcomeFile(string Title, string Field, string Path);

/// <summary>Reads outcomes from catalog and volume.</summary>
internal sealed class RunOutcomeReader(
    IDbContextFactory<CatalogContext> contexts,
    RunQueries queries,
    DatasetArtifacts datasets,
    Volume volume
)
{
    public async Task<RunOutcome> ReadAsync(RunDetail run, CancellationToken cancellationToken)
    {
        var runId = run.Summary.RunId;
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var set = await context.FeatureSets.AsNoTracking().SingleOrDefaultAsync(row => row.Key == run.FeatureSetKey, cancellationToken);
        var ingestedAt = await context
            .Runs.Where(row => row.Id == runId)
            .Join(context.Ingestions, row => row.IngestionKey, ingestion => ingestion.Key, (row, ingestion) => ingestion.CompletedAt)
            .SingleAsync(cancellationToken);
        return new RunOutcome
        {
            Run = run,
            Evaluation = (await queries.FindMetricsAsync(runId, cancellationToken))?.Evaluation,
            WasIngested = ingestedAt >= run.Summary.SubmittedAt,
            Precision = set is null ? null : ChoiceName.Of(set.Precision),
            InputSize = set?.InputSize,
            FeatureSize = set?.FeatureSize,
            Files =
            [
                .. await FindPictureAsync(context, runId, cancellationToken),
                .. set is null ? []
                : run.Summary.Model is null ? await FindHeadAsync(context, runId, cancellationToken)
                : await FindPredictionsAsync(context, runId, cancellationToken),
            ],
            VolumePath = volume.Root,
        };
    }

    private async Task<IReadOnlyList<OutcomeFile>> FindPictureAsync(
        CatalogContext context,
        Guid runId,
        CancellationToken cancellationToken
    ) =>
        await context.Comparisons.Where(row => row.RunId == runId).Select(row => row.Picture).SingleOrDefaultAsync(cancellationToken)
            is { } picture
            ? [new OutcomeFile("Bases", "comparisonPath", volume.FullPath(picture.Path))]
            : [];

    private async Task<IReadOnlyList<OutcomeFile>> FindHeadAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken)
    {
        var report = await context.Evaluations.Where(row => row.RunId == runId).Select(row => row.Report).SingleAsync(cancellationToken);
        var head = await context.BestHeads(runId).AsNoTracking().FirstAsync(cancellationToken);
        var files = new List<OutcomeFile>();
        if (report is not null)
        {
            files.Add(new OutcomeFile("Report", "reportPath", volume.FullPath(report.Path)));
        }

        files.Add(new OutcomeFile("Head", "headPath", volume.FullPath(head.File.Path)));
        return files;
    }

    private async Task<IReadOnlyList<OutcomeFile>> FindPredictionsAsync(
        CatalogContext context,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        var predictions = await context.DatasetPredictions.AsNoTracking().SingleAsync(row => row.RunId == runId, cancellationToken);
        return
        [
            new OutcomeFile("Table", "csvPath", volume.FullPath(predictions.Csv.Path)),
            new OutcomeFile("Lines", "jsonLinesPath", volume.FullPath(predictions.JsonLines.Path)),
        ];
    }

    /// <summary>Writes the splits of a run as PNG files in class folders, and the table <c>images.csv</c> of them.</summary>
    public async Task ExportPngAsync(Guid runId, string directory, CancellationToken cancellationToken)
    {
        var (run, _) = await contexts.ReadRunAsync(runId, cancellationToken);
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        using var packed = await datasets.OpenPackedAsync(run.IngestionKey!, cancellationToken);
        var images = await PngExport.WriteAsync(packed, manifest, split, directory, progress: null, cancellationToken);
        await using var file = File.Create(Path.Combine(directory, "images.csv"));
        await using var table = new CsvTable(file);
        await table.WriteAsync("split", "class", "file", "source");
        foreach (var image in images)
        {
            await table.WriteAsync(image.Split, image.ClassName, image.File, image.Source);
        }
    }
}
