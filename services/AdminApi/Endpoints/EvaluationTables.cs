using System.Globalization;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>What was found image by image, as tables for spreadsheets and programs.</summary>
internal static class EvaluationTables
{
    public const string ContentType = "text/csv; charset=utf-8";

    public static void MapTables(this RouteGroupBuilder runs)
    {
        Map(
            "labels.csv",
            "Training and validation images by the probability of their own label",
            WriteLabelsAsync,
            "Each image is judged by a classifier that has learnt from all others. The least probable labels come first: look there for wrong ones."
        );
        Map(
            "near-duplicates.csv",
            "Test images that are versions of an image that the head learned from",
            WriteDuplicatesAsync,
            "Of another size, quality, brightness or crop, or mirrored. Equal files are counted with the data set."
        );

        void Map(string name, string summary, Func<Context, Task<byte[]?>> write, string description) =>
            runs.MapRead(
                    $"{{runId:guid}}/{name}",
                    (
                        Guid runId,
                        IDbContextFactory<CatalogContext> contexts,
                        DatasetArtifacts datasets,
                        CancellationToken cancellationToken
                    ) => ReadAsync(runId, name, write, contexts, datasets, cancellationToken)
                )
                .WithSummary(summary)
                .WithDescription(description)
                .Produces<string>(contentType: "text/csv")
                .ProducesProblem(StatusCodes.Status404NotFound)
                .ProducesProblem(StatusCodes.Status410Gone);
    }

    /// <summary>What was predicted for each test image of a run that trains.</summary>
    public static Task<Results<FileContentHttpResult, ProblemHttpResult>> ReadPredictionsAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        DatasetArtifacts datasets,
        CancellationToken cancellationToken
    ) => ReadAsync(runId, "predictions.csv", WritePredictionsAsync, contexts, datasets, cancellationToken);

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> ReadAsync(
        Guid runId,
        string name,
        Func<Context, Task<byte[]?>> write,
        IDbContextFactory<CatalogContext> contexts,
        DatasetArtifacts datasets,
        CancellationToken cancellationToken
    )
    {
        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await catalog
            .Evaluations.AsNoTracking()
            .Where(row => row.RunId == runId)
            .Join(catalog.Runs, evaluation => evaluation.RunId, run => run.Id, (evaluation, run) => new { evaluation, run })
            .SingleOrDefaultAsync(cancellationToken);
        if (found is null)
        {
            return await catalog.Runs.AnyAsync(run => run.Id == runId, cancellationToken)
                ? Problem("The run is not evaluated yet.", $"Run {runId:D} has no {name} before it is complete.")
                : Problem("There is no such run.", $"No run has the id {runId:D}.");
        }

        try
        {
            var ingestion = await catalog
                .Ingestions.AsNoTracking()
                .SingleAsync(row => row.Key == found.run.IngestionKey, cancellationToken);
            var manifest = (await datasets.ReadIngestedAsync(ingestion, cancellationToken)).Manifest;
            var table = await write(new Context(catalog, datasets, found.evaluation, manifest, cancellationToken));
            return table is null
                ? Problem("It was not looked for.", $"The data set of run {runId:D} is too large for {name}.")
                : TypedResults.File(table, ContentType, $"{runId:D}-{name}");
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(
                title: "A file is damaged or missing.",
                detail: $"{exception.Message} Submit the run's specification again: its features are there, so it takes seconds, and writes it again.",
                statusCode: StatusCodes.Status410Gone
            );
        }
    }

    private static async Task<byte[]?> WritePredictionsAsync(Context context)
    {
        var predictions = await context.Datasets.ReadJsonAsync<IReadOnlyList<TestPrediction>>(
            context.Evaluation.Predictions,
            context.CancellationToken
        );
        return await WriteAsync(
            ["image", "sha256", "class", "predicted", "probability", "class_probability"],
            predictions.Select(one =>
                (string[])
                    [
                        context.Image(one.Image).Name,
                        context.Image(one.Image).Sha256,
                        context.Class(one.Label),
                        context.Class(one.Predicted),
                        CsvTable.Number(one.Probability),
                        CsvTable.Number(one.Own),
                    ]
            )
        );
    }

    private static async Task<byte[]?> WriteLabelsAsync(Context context)
    {
        var audit = await context.ReadAuditAsync();
        return audit.LabelsNotJudged is not null
            ? null
            : await WriteAsync(
                ["rank", "image", "sha256", "class", "class_probability", "suggested", "suggested_probability"],
                audit.Labels.Select(
                    (one, rank) =>
                        (string[])
                            [
                                (rank + 1).ToString(CultureInfo.InvariantCulture),
                                context.Image(one.Image).Name,
                                context.Image(one.Image).Sha256,
                                context.Class(one.Label),
                                CsvTable.Number(one.Own),
                                context.Class(one.Suggested),
                                CsvTable.Number(one.Probability),
                            ]
                )
            );
    }

    private static async Task<byte[]?> WriteDuplicatesAsync(Context context)
    {
        var audit = await context.ReadAuditAsync();
        return audit.NearDuplicatesNotSought is not null
            ? null
            : await WriteAsync(
                ["test_image", "test_class", "training_image", "training_class", "feature_similarity", "pixel_correlation"],
                audit.NearDuplicates.Select(one =>
                    (string[])
                        [
                            context.Image(one.Test).Name,
                            context.Class(context.Image(one.Test).Label),
                            context.Image(one.Training).Name,
                            context.Class(context.Image(one.Training).Label),
                            CsvTable.Number(one.Similarity),
                            CsvTable.Number(one.Correlation),
                        ]
                )
            );
    }

    private static async Task<byte[]> WriteAsync(string[] header, IEnumerable<string[]> rows)
    {
        using var text = new MemoryStream();
        await using (var table = new CsvTable(text))
        {
            foreach (var row in rows.Prepend(header))
            {
                await table.WriteAsync(row);
            }
        }

        return text.ToArray();
    }

    private static ProblemHttpResult Problem(string title, string detail) =>
        TypedResults.Problem(title: title, detail: detail, statusCode: StatusCodes.Status404NotFound);

    private sealed record Context(
        CatalogContext Catalog,
        DatasetArtifacts Datasets,
        Catalog.Evaluation Evaluation,
        DatasetManifest Manifest,
        CancellationToken CancellationToken
    )
    {
        public ManifestImage Image(int row) => Manifest.Images[row];

        public string Class(int label) => Manifest.ClassNames[label];

        public async Task<DatasetAudit> ReadAuditAsync()
        {
            var record = await Catalog.DatasetAudits.AsNoTracking().SingleAsync(row => row.Key == Evaluation.AuditKey, CancellationToken);
            return await Datasets.ReadJsonAsync<DatasetAudit>(record.File, CancellationToken);
        }
    }
}
