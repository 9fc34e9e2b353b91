using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The pictures of runs that compared bases.</summary>
internal static class BackboneComparisonEndpoints
{
    public static void MapBackboneComparisons(this RouteGroupBuilder runs) =>
        runs.MapRead("{runId:guid}/comparison.svg", ReadPictureAsync)
            .WithSummary("The bases that a run compared, as a picture")
            .WithDescription(
                "Accuracy in cross-validation with its interval, by images a second. The figures are in the run, as comparison."
            )
            .Produces<string>(contentType: "image/svg+xml")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone);

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> ReadPictureAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        Volume volume,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var comparison = await context.Comparisons.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        if (comparison is null)
        {
            return TypedResults.Problem(
                title: "There is no comparison.",
                detail: $"There is no run {runId:D} that has compared bases. Submit one with the backbone best or the kind compare, and wait until it has.",
                statusCode: StatusCodes.Status404NotFound
            );
        }

        http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
        try
        {
            return TypedResults.File(await volume.ReadAllBytesAsync(comparison.Picture, cancellationToken), "image/svg+xml");
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(
                title: "The picture is damaged or missing.",
                detail: $"{exception.Message} The figures are in the run, as comparison.",
                statusCode: StatusCodes.Status410Gone
            );
        }
    }
}
