using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Tells who asks what the service takes them for.</summary>
internal static class IdentityEndpoints
{
    public static void MapIdentity(this IEndpointRouteBuilder api) =>
        api.MapRead("/me", Find)
            .RequireAuthorization(policy => policy.RequireAuthenticatedUser())
            .WithTags("Access")
            .WithSummary("Who you are to the service, and what you may do")
            .WithDescription("The name of the key and its role; the kind is local for who comes from this machine and needs no key.");

    private static Ok<Identity> Find(ClaimsPrincipal user) =>
        TypedResults.Ok(new Identity(user.Actor().Name, user.Actor().Kind, Enum.Parse<ApiRole>(user.FindFirstValue(ClaimTypes.Role)!)));

    /// <summary>Who asks.</summary>
    /// <param name="Name">Name of the key.</param>
    /// <param name="Kind">How they came to be known.</param>
    /// <param name="Role">What they may do.</param>
    internal sealed record Identity(string Name, AuditActorKind Kind, ApiRole Role);
}
