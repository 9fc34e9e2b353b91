using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Listing;
using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Ways to look at the list of runs, kept under a name.</summary>
internal static class ViewEndpoints
{
    private const int LongestName = 100;
    private const int LongestQuery = 10_000;
    private const int MostColumns = 100;

    public static void MapViews(this IEndpointRouteBuilder api)
    {
        var views = api.MapGroup("/views").WithTags("Views");
        views.MapRead("", ListAsync).WithSummary("List saved views by name").ProducesValidationProblem();
        views.MapRead("{name}", FindAsync).WithSummary("A saved view").ProducesProblem(StatusCodes.Status404NotFound);
        views
            .MapPut("{name}", SaveAsync)
            .WithSummary("Save a view of the list of runs")
            .WithDescription(
                "query is that of GET /api/v1/runs, without limit and after; columns are names of its fields. A view that is there is replaced only with its ETag in If-Match (428, 412); with If-None-Match: * none is."
            )
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .ProducesProblem(StatusCodes.Status428PreconditionRequired);
        views
            .MapDelete("{name}", DeleteAsync)
            .WithSummary("Delete a saved view")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .ProducesProblem(StatusCodes.Status428PreconditionRequired);
    }

    private static async Task<Ok<ViewPage>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery] string? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var views = context.SavedViews.AsNoTracking();
        if (after is not null)
        {
            views = views.Where(view => string.Compare(view.Name, after) > 0);
        }

        var page = await views.OrderBy(view => view.Name).Take(limit + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new ViewPage([.. page.Take(limit)], page.Count > limit ? page[limit - 1].Name : null));
    }

    private static async Task<Results<Ok<SavedView>, ProblemHttpResult>> FindAsync(
        string name,
        IDbContextFactory<CatalogContext> contexts,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (await ReadAsync(context, name, cancellationToken) is not { } view)
        {
            return Unknown(name);
        }

        response.Headers.ETag = EntityTag.Of(view.Revision);
        return TypedResults.Ok(view);
    }

    private static async Task<Results<Ok<SavedView>, Created<SavedView>, ValidationProblem, ProblemHttpResult>> SaveAsync(
        string name,
        [FromBody] SaveView body,
        IDbContextFactory<CatalogContext> contexts,
        TimeProvider time,
        ClaimsPrincipal user,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        if (FindErrors(name, body) is { Count: > 0 } errors)
        {
            return TypedResults.ValidationProblem(errors);
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await ReadAsync(context, name, cancellationToken);
        var (headers, now) = (http.Request.GetTypedHeaders(), time.GetUtcNow().UtcDateTime);
        if (known is null && headers.IfMatch is { Count: > 0 })
        {
            return Missing(name);
        }

        if (
            known is not null
            && (
                headers.IfNoneMatch is { Count: > 0 }
                    ? EntityTag.Changed(known.Revision, "The view")
                    : EntityTag.Refuse(http.Request, known.Revision, "The view")
            )
                is { } refused
        )
        {
            return refused;
        }

        var view = new SavedView
        {
            Name = name,
            Query = body.Query,
            Columns = body.Columns ?? [],
            Revision = known is null ? 0 : known.Revision + 1,
            ChangedAt = now,
            ChangedBy = user.Actor().Name,
        };
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (known is null)
        {
            context.SavedViews.Add(view);
        }
        else
        {
            var changed = await context
                .SavedViews.Where(row => row.Name == name && row.Revision == known.Revision)
                .ExecuteUpdateAsync(
                    row =>
                        row.SetProperty(v => v.Query, view.Query)
                            .SetProperty(v => v.Columns, view.Columns)
                            .SetProperty(v => v.Revision, view.Revision)
                            .SetProperty(v => v.ChangedAt, view.ChangedAt)
                            .SetProperty(v => v.ChangedBy, view.ChangedBy),
                    cancellationToken
                );
            if (changed == 0)
            {
                return EntityTag.Changed(view.Revision, "The view");
            }
        }

        context.Audit(user.Actor(), AuditAction.ViewSaved, $"view {name}", now, body.Query);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        http.Response.Headers.ETag = EntityTag.Of(view.Revision);
        return known is null ? TypedResults.Created($"/api/v1/views/{Uri.EscapeDataString(name)}", view) : TypedResults.Ok(view);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string name,
        IDbContextFactory<CatalogContext> contexts,
        TimeProvider time,
        ClaimsPrincipal user,
        HttpRequest request,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (await ReadAsync(context, name, cancellationToken) is not { } known)
        {
            return Unknown(name);
        }

        if (EntityTag.Refuse(request, known.Revision, "The view") is { } refused)
        {
            return refused;
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var removed = await context
            .SavedViews.Where(row => row.Name == name && row.Revision == known.Revision)
            .ExecuteDeleteAsync(cancellationToken);
        if (removed == 0)
        {
            return EntityTag.Changed(known.Revision + 1, "The view");
        }

        context.Audit(user.Actor(), AuditAction.ViewDeleted, $"view {name}", time.GetUtcNow().UtcDateTime);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return TypedResults.NoContent();
    }

    private static Task<SavedView?> ReadAsync(CatalogContext context, string name, CancellationToken cancellationToken) =>
        context.SavedViews.AsNoTracking().SingleOrDefaultAsync(view => view.Name == name, cancellationToken);

    /// <summary>A view that is kept can be shown: its filters are read as the list reads them.</summary>
    private static Dictionary<string, string[]> FindErrors(string name, SaveView body)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        // A slash in a name stays encoded in its path.
        if (
            name.Length > LongestName
            || name.Any(char.IsControl)
            || name.Trim() != name
            || name.Contains("%2F", StringComparison.OrdinalIgnoreCase)
        )
        {
            errors["name"] =
            [
                $"is '{RunSpecificationRules.Shown(name)}'; it must be a text of 1 to {LongestName} characters, none of them a control character or a slash, without spaces at its ends",
            ];
        }

        if (body.Query.Length > LongestQuery)
        {
            errors["query"] = [$"has {body.Query.Length} characters; at most {LongestQuery} are allowed"];
            return errors;
        }

        var query = QueryHelpers.ParseQuery(body.Query);
        string[] known = ["where", "sort", "state", "tag", "name", "dataset"];
        if (query.Keys.FirstOrDefault(key => !known.Contains(key, StringComparer.Ordinal)) is { } unknown)
        {
            errors["query"] = [$"has the parameter '{RunSpecificationRules.Shown(unknown)}'; known are {string.Join(", ", known)}"];
        }

        var found = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (
            RunListQuery.Read(
                [.. query.GetValueOrDefault("where").OfType<string>()],
                query.GetValueOrDefault("sort").FirstOrDefault(),
                found
            )
            is null
        )
        {
            errors["query"] =
            [
                .. errors.GetValueOrDefault("query") ?? [],
                .. found.SelectMany(parameter => parameter.Value.Select(wrong => $"{parameter.Key} {wrong}")),
            ];
        }

        if (body.Columns is { } columns)
        {
            string[] wrong =
            [
                .. columns.Where(column => RunFields.Find(column) is null).Take(MostColumns).Select(RunFields.Unknown),
                .. columns.Count > MostColumns ? (string[])[$"has {columns.Count} entries; at most {MostColumns} are allowed"] : [],
            ];
            if (wrong.Length > 0)
            {
                errors["columns"] = wrong;
            }
        }

        return errors;
    }

    private static ProblemHttpResult Unknown(string name) =>
        TypedResults.Problem(
            title: "There is no such view.",
            detail: $"No view is saved under the name {RunSpecificationRules.Shown(name)}.",
            statusCode: StatusCodes.Status404NotFound
        );

    private static ProblemHttpResult Missing(string name) =>
        TypedResults.Problem(
            title: "There is no such view.",
            detail: $"If-Match asks to replace the view {RunSpecificationRules.Shown(name)}, and it is not there. Leave the header out to save a new one.",
            statusCode: StatusCodes.Status412PreconditionFailed
        );
}

/// <summary>A view to save.</summary>
/// <param name="Query">The query of the list: filters and order, as they stand in its address.</param>
/// <param name="Columns">The fields to show, in their order; none for the usual ones.</param>
public sealed record SaveView(string Query, IReadOnlyList<string>? Columns);

/// <summary>Some of the views.</summary>
/// <param name="Items">The views, by name.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record ViewPage(IReadOnlyList<SavedView> Items, string? Next);
