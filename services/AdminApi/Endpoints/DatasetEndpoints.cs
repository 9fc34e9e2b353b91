using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The data sets that runs have used.</summary>
internal static class DatasetEndpoints
{
    public static void MapDatasets(this IEndpointRouteBuilder api)
    {
        var datasets = api.MapGroup("/datasets").WithTags("Data sets");
        datasets.MapGet("", ListAsync).WithSummary("List data sets, the latest first");
        datasets.MapGet("{sha256}", FindAsync).WithSummary("A data set");
    }

    private static async Task<Ok<List<Dataset>>> ListAsync(IDbContextFactory<CatalogContext> contexts, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return TypedResults.Ok(await context.Datasets.AsNoTracking().OrderByDescending(dataset => dataset.CreatedAt).ToListAsync(cancellationToken));
    }

    private static async Task<Results<Ok<Dataset>, ProblemHttpResult>> FindAsync(string sha256, IDbContextFactory<CatalogContext> contexts, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Datasets.AsNoTracking().SingleOrDefaultAsync(dataset => dataset.Sha256 == sha256, cancellationToken) is { } found
            ? TypedResults.Ok(found)
            : TypedResults.Problem(title: "There is no such data set.", detail: $"No run has used a data set with the SHA-256 {sha256}.", statusCode: StatusCodes.Status404NotFound);
    }
}
