using Distributed.AdminApi.Retention;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Keeping the volume small.</summary>
internal static class MaintenanceEndpoints
{
    public static void MapMaintenance(this IEndpointRouteBuilder api) =>
        api.MapGroup("/maintenance")
            .WithTags("Maintenance")
            .MapPost("collect", CollectAsync)
            .WithSummary("Remove from the volume what the retention policy lets go")
            .WithDescription(
                "With dryRun=true nothing is removed: the answer says what would be, why, and how many bytes that frees. With force=true orphans are removed also where they are more than half of the files."
            )
            .ProducesValidationProblem();

    private static async Task<Results<Ok<CollectionReport>, ProblemHttpResult>> CollectAsync(
        Collector collector,
        CancellationToken cancellationToken,
        [FromQuery] bool dryRun = false,
        [FromQuery] bool force = false
    )
    {
        try
        {
            return TypedResults.Ok(await collector.CollectAsync(dryRun, force, cancellationToken));
        }
        catch (IOException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}
