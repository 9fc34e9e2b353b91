using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Whose keys open the API. They are created on the command line alone: no key makes another one.</summary>
internal static class KeyEndpoints
{
    public static void MapKeys(this IEndpointRouteBuilder api)
    {
        var keys = api.MapGroup("/keys").WithTags("Access").RequireAuthorization(ApiAccess.OperatorPolicy);
        keys.MapRead("", ListAsync)
            .WithSummary("The keys, revoked ones included, with their roles and when each was used last; for operators")
            .WithDescription("The keys themselves are known to their holders alone. The command keys create makes one.");
        keys.MapDelete("{id}", RevokeAsync)
            .WithSummary("Revoke a key: the next request with it is refused")
            .WithDescription("Not the key of the request itself, so that an operator is left.")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<Ok<KeyList>> ListAsync(ApiKeyStore keys, CancellationToken cancellationToken) =>
        TypedResults.Ok(
            new KeyList([
                .. (await keys.ListAsync(cancellationToken)).Select(key => new KeyDetail(
                    key.Id,
                    key.Name,
                    key.Role,
                    key.CreatedAt,
                    key.LastUsedAt,
                    key.RevokedAt
                )),
            ])
        );

    private static async Task<Results<NoContent, ProblemHttpResult>> RevokeAsync(
        string id,
        ApiKeyStore keys,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    ) =>
        (await keys.ListAsync(cancellationToken)).FirstOrDefault(key => key.Id == id && key.RevokedAt is null) switch
        {
            { } key when user.Actor() == new AuditActor(AuditActorKind.Key, key.Name) => TypedResults.Problem(
                title: "That is the key that you ask with.",
                detail: "Revoke it with another operator's key, or by AdminApi's command 'keys revoke NAME'.",
                statusCode: StatusCodes.Status409Conflict
            ),
            { } key when await keys.RevokeAsync(key.Name, user.Actor(), cancellationToken) => TypedResults.NoContent(),
            _ => TypedResults.Problem(
                title: "There is no such key.",
                detail: "No valid key has that id; GET /api/v1/keys lists all of them.",
                statusCode: StatusCodes.Status404NotFound
            ),
        };

    /// <summary>The keys.</summary>
    /// <param name="Items">The latest last.</param>
    internal sealed record KeyList(IReadOnlyList<KeyDetail> Items);

    /// <summary>A key, without what makes it open anything.</summary>
    /// <param name="Id">The public part.</param>
    /// <param name="Name">Whose key it is.</param>
    /// <param name="Role">What its holder may do.</param>
    /// <param name="CreatedAt">When it was created (UTC).</param>
    /// <param name="LastUsedAt">When it was used last (UTC), to the minute.</param>
    /// <param name="RevokedAt">When it was revoked (UTC).</param>
    internal sealed record KeyDetail(string Id, string Name, ApiRole Role, DateTime CreatedAt, DateTime? LastUsedAt, DateTime? RevokedAt);
}
