using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Predictions;
using Distributed.Catalog;
using Distributed.Registry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Models, their versions, and the aliases by which they are called.</summary>
internal static class ModelEndpoints
{
    private const int MostPerPage = 500;

    public static void MapModels(this IEndpointRouteBuilder api)
    {
        var models = api.MapGroup("/models").WithTags("Models").AddEndpointFilter<RegistryFilter>();
        models.MapRead("", ListAsync).WithSummary("List models by name").ProducesValidationProblem();
        models.MapRead("{name}", FindAsync).WithSummary("A model with its versions, aliases and their moves").ProducesProblem(404);
        models
            .MapPut("{name}", DescribeAsync)
            .WithSummary("Describe a model")
            .WithDescription("If-Match must name the ETag that GET answers: 428 without it, 412 where somebody else was first.")
            .ProducesValidationProblem()
            .ProducesProblem(404)
            .ProducesProblem(412)
            .ProducesProblem(428);
        models
            .MapDelete("{name}", DeleteAsync)
            .WithSummary("Delete a model to which no alias points")
            .ProducesProblem(404)
            .ProducesProblem(409);
        models
            .MapPost("{name}/versions", RegisterAsync)
            .WithSummary("Register the head of a completed run as the next version of a model")
            .WithDescription("The model is created where there is none of that name. A run that is a version already stays that one.")
            .ProducesValidationProblem()
            .ProducesProblem(404)
            .ProducesProblem(409);
        models
            .MapRead("{name}/versions/{number:int}", FindVersionAsync)
            .WithSummary("A version with its lineage: everything that it takes to repeat it")
            .ProducesProblem(404);
        models
            .MapDelete("{name}/versions/{number:int}", DeleteVersionAsync)
            .WithSummary("Delete a version to which no alias points")
            .ProducesProblem(404)
            .ProducesProblem(409);
        models
            .MapRead("{name}/versions/{number:int}/comparison", CompareAsync)
            .WithSummary("Compare a version with another one on the same test images")
            .ProducesProblem(404)
            .ProducesProblem(409);
        models
            .MapPut("{name}/aliases/{alias}", PromoteAsync)
            .WithSummary("Point an alias to a version")
            .WithDescription(
                "With a confidence, only if the version is better than the one that the alias points to, on the same test images, by McNemar's exact test."
            )
            .ProducesValidationProblem()
            .ProducesProblem(404)
            .ProducesProblem(409);
        models
            .MapPost("{name}/aliases/{alias}/rollback", RollBackAsync)
            .WithSummary("Point an alias to the version before")
            .ProducesProblem(404)
            .ProducesProblem(409);
        models.MapDelete("{name}/aliases/{alias}", RemoveAliasAsync).WithSummary("Remove an alias").ProducesProblem(404);
    }

    private static async Task<Ok<ModelPage>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery] Guid? run = null,
        [FromQuery] string? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var models = context.Models.AsNoTracking();
        if (run is { } runId)
        {
            models = models.Where(model => context.ModelVersions.Any(version => version.ModelName == model.Name && version.RunId == runId));
        }

        if (after is not null)
        {
            models = models.Where(model => string.Compare(model.Name, after) > 0);
        }

        var page = await models.OrderBy(model => model.Name).Take(limit + 1).ToListAsync(cancellationToken);
        string[] names = [.. page.Take(limit).Select(model => model.Name)];
        var aliases = await context
            .ModelAliases.AsNoTracking()
            .Where(alias => names.Contains(alias.ModelName))
            .OrderBy(alias => alias.Alias)
            .ToListAsync(cancellationToken);
        var counts = await context
            .ModelVersions.Where(version => names.Contains(version.ModelName))
            .GroupBy(version => version.ModelName)
            .Select(group => new { group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken);
        return TypedResults.Ok(
            new ModelPage(
                [
                    .. page.Take(limit)
                        .Select(model => new ModelSummary(
                            model.Name,
                            model.Description,
                            counts.GetValueOrDefault(model.Name),
                            aliases
                                .Where(alias => alias.ModelName == model.Name)
                                .ToDictionary(alias => alias.Alias, alias => alias.Version),
                            model.CreatedAt
                        )),
                ],
                page.Count > limit ? names[^1] : null
            )
        );
    }

    private static async Task<Ok<ModelDetail>> FindAsync(
        string name,
        IDbContextFactory<CatalogContext> contexts,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        var model = await ReadAsync(name, contexts, cancellationToken);
        response.Headers.ETag = EntityTag.Of(model.Revision);
        return TypedResults.Ok(model);
    }

    private static async Task<Results<Ok<ModelDetail>, ProblemHttpResult>> DescribeAsync(
        string name,
        [FromBody] DescribeModel body,
        ModelRegistry registry,
        IDbContextFactory<CatalogContext> contexts,
        ClaimsPrincipal user,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        var known = await ReadAsync(name, contexts, cancellationToken);
        if (EntityTag.Refuse(http.Request, known.Revision, "The model") is { } refused)
        {
            return refused;
        }

        if (!await registry.DescribeAsync(name, body.Description, known.Revision, user.Actor(), cancellationToken))
        {
            return EntityTag.Changed(known.Revision + 1, "The model");
        }

        var model = await ReadAsync(name, contexts, cancellationToken);
        http.Response.Headers.ETag = EntityTag.Of(model.Revision);
        return TypedResults.Ok(model);
    }

    private static async Task<NoContent> DeleteAsync(
        string name,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        await registry.DeleteAsync(name, user.Actor(), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Created<ModelVersionDetail>> RegisterAsync(
        string name,
        [FromBody] RegisterVersion body,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        var version = await registry.RegisterAsync(name, body.RunId, body.Note, user.Actor(), cancellationToken);
        return TypedResults.Created($"/api/v1/models/{name}/versions/{version.Number}", ModelVersionDetail.Of(version));
    }

    private static async Task<Ok<ModelVersionDetail>> FindVersionAsync(
        string name,
        int number,
        ModelRegistry registry,
        CancellationToken cancellationToken
    ) => TypedResults.Ok(ModelVersionDetail.Of(await registry.ResolveAsync(new ModelReference(name, $"{number}"), cancellationToken)));

    private static async Task<NoContent> DeleteVersionAsync(
        string name,
        int number,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        await registry.DeleteVersionAsync(name, number, user.Actor(), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<VersionComparison>> CompareAsync(
        string name,
        int number,
        [FromQuery] int with,
        ModelRegistry registry,
        CancellationToken cancellationToken
    )
    {
        var comparison = await registry.CompareAsync(name, with, number, cancellationToken);
        return TypedResults.Ok(
            new VersionComparison(
                comparison.Images,
                comparison.Second,
                comparison.First,
                comparison.Test.SecondOnly,
                comparison.Test.FirstOnly,
                comparison.Test.PValue
            )
        );
    }

    private static async Task<Ok<AliasDetail>> PromoteAsync(
        string name,
        string alias,
        [FromBody] PromoteVersion body,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        var rule = body.Confidence is { } confidence ? new PromotionRule(confidence) : null;
        return TypedResults.Ok(
            AliasDetail.Of(await registry.PromoteAsync(name, alias, body.Version, rule, body.Reason, user.Actor(), cancellationToken))
        );
    }

    private static async Task<Ok<AliasDetail>> RollBackAsync(
        string name,
        string alias,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken,
        [FromQuery] string? reason = null
    ) => TypedResults.Ok(AliasDetail.Of(await registry.RollBackAsync(name, alias, reason, user.Actor(), cancellationToken)));

    private static async Task<NoContent> RemoveAliasAsync(
        string name,
        string alias,
        ModelRegistry registry,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        await registry.RemoveAliasAsync(name, alias, user.Actor(), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<ModelDetail> ReadAsync(
        string name,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var model =
            await context.Models.AsNoTracking().SingleOrDefaultAsync(row => row.Name == name, cancellationToken)
            ?? throw new RegistryException(RegistryProblem.NotFound, $"There is no model of the name {name}.");
        var versions = await context
            .ModelVersions.AsNoTracking()
            .Where(version => version.ModelName == name)
            .OrderByDescending(version => version.Number)
            .ToListAsync(cancellationToken);
        var aliases = await context
            .ModelAliases.AsNoTracking()
            .Where(alias => alias.ModelName == name)
            .OrderBy(alias => alias.Alias)
            .ToListAsync(cancellationToken);
        var changes = await context
            .AliasChanges.AsNoTracking()
            .Where(change => change.ModelName == name)
            .OrderByDescending(change => change.Id)
            .Take(MostPerPage)
            .ToListAsync(cancellationToken);
        return new ModelDetail(
            model.Name,
            model.Description,
            model.Revision,
            model.CreatedAt,
            CustomVisionProjects.IdOf(model.Name),
            [.. aliases.Select(AliasDetail.Of)],
            [.. versions.Select(ModelVersionSummary.Of)],
            [
                .. changes.Select(change => new AliasMove(
                    change.Alias,
                    change.FromVersion,
                    change.ToVersion,
                    change.IsRollback,
                    change.Reason,
                    change.At,
                    change.By
                )),
            ]
        );
    }

    /// <summary>Says what cannot be done to a model, and why.</summary>
    private sealed class RegistryFilter : IEndpointFilter
    {
        public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
        {
            try
            {
                return await next(context);
            }
            catch (RegistryException exception) when (exception is { Problem: RegistryProblem.Invalid, Field: { } field })
            {
                return TypedResults.ValidationProblem(new Dictionary<string, string[]> { [field] = [exception.Message] });
            }
            catch (RegistryException exception)
            {
                return exception.Problem == RegistryProblem.NotFound
                    ? TypedResults.Problem(title: "It is not there.", detail: exception.Message, statusCode: StatusCodes.Status404NotFound)
                    : TypedResults.Problem(
                        title: "It cannot be done now.",
                        detail: exception.Message,
                        statusCode: StatusCodes.Status409Conflict
                    );
            }
        }
    }
}
