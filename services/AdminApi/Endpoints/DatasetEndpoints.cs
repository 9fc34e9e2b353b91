using System.ComponentModel.DataAnnotations;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The data sets that runs have used.</summary>
internal static class DatasetEndpoints
{
    private const int MostPerPage = 500;

    public static void MapDatasets(this IEndpointRouteBuilder api)
    {
        var datasets = api.MapGroup("/datasets").WithTags("Data sets");
        datasets.MapRead("", ListAsync).WithSummary("List data sets, the latest first");
        datasets.MapRead("{sha256}", FindAsync).WithSummary("A data set").ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Ok<DatasetPage>, ValidationProblem>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery] string? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var datasets = context.Datasets.AsNoTracking();
        if (after is not null)
        {
            if (await datasets.SingleOrDefaultAsync(dataset => dataset.Sha256 == after, cancellationToken) is not { } last)
            {
                return TypedResults.ValidationProblem(
                    new Dictionary<string, string[]> { ["after"] = ["names no data set; give a page's next"] }
                );
            }

            datasets = datasets.Where(dataset =>
                dataset.CreatedAt < last.CreatedAt || (dataset.CreatedAt == last.CreatedAt && string.Compare(dataset.Sha256, after) < 0)
            );
        }

        var page = await datasets
            .OrderByDescending(dataset => dataset.CreatedAt)
            .ThenByDescending(dataset => dataset.Sha256)
            .Take(limit + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new DatasetPage(page.Take(limit).ToList(), page.Count > limit ? page[limit - 1].Sha256 : null));
    }

    private static async Task<Results<Ok<Dataset>, ProblemHttpResult>> FindAsync(
        string sha256,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return
            await context.Datasets.AsNoTracking().SingleOrDefaultAsync(dataset => dataset.Sha256 == sha256, cancellationToken) is { } found
            ? TypedResults.Ok(found)
            : TypedResults.Problem(
                title: "There is no such data set.",
                detail: $"No run has used a data set with the SHA-256 {sha256}.",
                statusCode: StatusCodes.Status404NotFound
            );
    }

    /// <summary>Some of the data sets.</summary>
    /// <param name="Items">The data sets, the latest first.</param>
    /// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
    internal sealed record DatasetPage(IReadOnlyList<Dataset> Items, string? Next);
}
