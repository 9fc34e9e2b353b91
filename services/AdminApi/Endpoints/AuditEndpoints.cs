using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Who changed what.</summary>
internal static class AuditEndpoints
{
    private const int MostPerPage = 500;

    public static void MapAudit(this IEndpointRouteBuilder api) =>
        api.MapRead("/audit", ListAsync)
            .RequireAuthorization(ApiAccess.OperatorPolicy)
            .WithTags("Audit log")
            .WithSummary("Who submitted, cancelled or changed what, the latest first; for operators")
            .ProducesValidationProblem();

    private static async Task<Ok<AuditPage>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery] string? subject = null,
        [FromQuery] string? actor = null,
        [FromQuery] Guid? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var entries = context.AuditLog.AsNoTracking();
        if (subject is not null)
        {
            entries = entries.Where(entry => entry.Subject == subject);
        }

        if (actor is not null)
        {
            entries = entries.Where(entry => entry.Actor == actor);
        }

        if (after is { } last)
        {
            entries = entries.Where(entry => entry.Id < last);
        }

        var page = await entries.OrderByDescending(entry => entry.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new AuditPage(page.Take(limit).ToList(), page.Count > limit ? page[limit - 1].Id : null));
    }

    /// <summary>Some of the log.</summary>
    /// <param name="Items">The entries, the latest first.</param>
    /// <param name="Next">What to give as <c>after</c> for the next page; absent on the last.</param>
    internal sealed record AuditPage(IReadOnlyList<AuditEntry> Items, Guid? Next);
}
