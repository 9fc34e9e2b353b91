using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.OpenApi;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Endpoints that only show something.</summary>
internal static class Reading
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Answers GET, and HEAD by the same headers without the body.</summary>
    public static RouteHandlerBuilder MapRead(
        this IEndpointRouteBuilder endpoints,
        [StringSyntax("Route")] string pattern,
        Delegate handler
    ) => endpoints.MapMethods(pattern, Methods, handler);

    /// <summary>Keeps out of the API's description what goes without saying: HEAD, wherever there is GET.</summary>
    public static void LeaveOutHead(this OpenApiOptions options) =>
        options.AddDocumentTransformer(
            (document, _, _) =>
            {
                foreach (var path in document.Paths.Values)
                {
                    path.Operations?.Remove(HttpMethod.Head);
                }

                return Task.CompletedTask;
            }
        );
}
