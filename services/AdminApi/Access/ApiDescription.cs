using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Distributed.AdminApi.Access;

/// <summary>Says in the API's description how a key is sent, and what is answered without one.</summary>
internal static class ApiDescription
{
    public static void DescribeAccess(this OpenApiOptions options)
    {
        options.AddDocumentTransformer(
            (document, _, _) =>
            {
                document.AddComponent<IOpenApiSecurityScheme>(
                    ApiKeyHandler.SchemeName,
                    new OpenApiSecurityScheme
                    {
                        Type = SecuritySchemeType.Http,
                        Scheme = "bearer",
                        Description =
                            $"A key made by AdminApi's command 'keys create NAME --role reader|operator|predictor', also taken from the header {ApiKeyHandler.HeaderName}. Readers may GET, predictors may predict, operators may do everything.",
                    }
                );
                document.Security =
                [
                    new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(ApiKeyHandler.SchemeName, document)] = [] },
                ];
                return Task.CompletedTask;
            }
        );
        options.AddOperationTransformer(
            (operation, _, _) =>
            {
                operation.Responses ??= [];
                operation.Responses.TryAdd("401", new OpenApiResponse { Description = "No key, or one that opens nothing" });
                operation.Responses.TryAdd("403", new OpenApiResponse { Description = "A reader's key, where an operator's is needed" });
                operation.Responses.TryAdd(
                    "429",
                    new OpenApiResponse { Description = "Too many requests; Retry-After says when to come again" }
                );
                return Task.CompletedTask;
            }
        );
    }
}
