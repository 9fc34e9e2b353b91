using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>What runs predicted, as files.</summary>
internal static class DatasetPredictionEndpoints
{
    public static void MapDatasetPredictions(this RouteGroupBuilder runs)
    {
        runs.MapRead("{runId:guid}/predictions.csv", ReadTableAsync)
            .WithSummary("What was predicted for each image, as a table")
            .WithDescription(
                "For each test image of a run that trains a head, and for each image of the data set of one that predicts with a model."
            )
            .Produces<string>(contentType: "text/csv")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone);
        runs.MapRead("{runId:guid}/predictions.jsonl", ReadLinesAsync)
            .WithSummary("What was predicted for each image, one JSON object a line")
            .WithDescription("Of a run that predicts with a model.")
            .Produces<string>(contentType: "application/jsonl")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone);
    }

    private static async Task<IResult> ReadTableAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        DatasetArtifacts datasets,
        Volume volume,
        CancellationToken cancellationToken
    ) =>
        await FindAsync(runId, contexts, cancellationToken) is { } found
            ? await SendAsync(found.Csv, EvaluationTables.ContentType, $"{runId:D}-predictions.csv", volume, cancellationToken)
            : (await EvaluationTables.ReadPredictionsAsync(runId, contexts, datasets, cancellationToken)).Result;

    private static async Task<IResult> ReadLinesAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        Volume volume,
        CancellationToken cancellationToken
    ) =>
        await FindAsync(runId, contexts, cancellationToken) is { } found
            ? await SendAsync(found.JsonLines, "application/jsonl", $"{runId:D}-predictions.jsonl", volume, cancellationToken)
            : TypedResults.Problem(
                title: "There are no such predictions.",
                detail: $"There is no run {runId:D} that has predicted a data set. Submit one with \"model\", and wait until it is complete.",
                statusCode: StatusCodes.Status404NotFound
            );

    private static async Task<DatasetPrediction?> FindAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.DatasetPredictions.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
    }

    private static async Task<IResult> SendAsync(
        StoredFile file,
        string contentType,
        string name,
        Volume volume,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await volume.VerifyAsync(file, cancellationToken);
            return TypedResults.PhysicalFile(volume.FullPath(file.Path), contentType, name, enableRangeProcessing: true);
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(
                title: "The predictions are damaged or missing.",
                detail: $"{exception.Message} Submit the run's specification again: its features are there, so it takes seconds, and writes them again.",
                statusCode: StatusCodes.Status410Gone
            );
        }
    }
}
