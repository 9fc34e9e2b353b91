using Distributed.Catalog;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Answers nothing from a catalog whose schema is not this program's, and accepts nothing into it.</summary>
internal sealed class CatalogFilter(CatalogMigration catalog) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        catalog.Waiting is { } reason
            ? TypedResults.Problem(reason, statusCode: StatusCodes.Status503ServiceUnavailable)
            : await next(context);
}
