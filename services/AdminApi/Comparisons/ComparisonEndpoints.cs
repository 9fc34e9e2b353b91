using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Endpoints;
using Distributed.AdminApi.Images;
using Distributed.Artifacts;
using Distributed.Catalog;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Comparisons;

/// <summary>Whom to show of the images about which two runs disagree.</summary>
public enum RightRun
{
    /// <summary>Those that the run in the address alone has right.</summary>
    First,

    /// <summary>Those that the other alone has right.</summary>
    Second,
}

/// <summary>Runs beside each other.</summary>
internal static class ComparisonEndpoints
{
    private const int MostRuns = 100;

    public static void MapComparisons(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/runs").WithTags("Runs").AddEndpointFilter<DamagedFileFilter>();
        runs.MapRead("compare", CompareAsync)
            .WithSummary(
                "Compare 2 to 100 runs: the settings in which they differ, their figures with intervals, and of two McNemar's test"
            )
            .ProducesProblem(404);
        runs.MapRead("{runId:guid}/disagreements", ListAsync)
            .WithSummary("Test images that one of two runs has right and the other wrong")
            .WithDescription("An image is known by its bytes and its class, so the runs may be of different data sets.")
            .ProducesProblem(404)
            .ProducesProblem(410);
    }

    private static async Task<Results<Ok<RunComparison>, ValidationProblem, ProblemHttpResult>> CompareAsync(
        [FromQuery] Guid[] run,
        RunComparer comparer,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken
    )
    {
        var ids = run.Distinct().ToList();
        if (ids.Count is < 2 or > MostRuns || ids.Count < run.Length)
        {
            return TypedResults.ValidationProblem(
                new Dictionary<string, string[]>
                {
                    ["run"] = [$"names {ids.Count} different runs in {run.Length}; give 2 to {MostRuns}, each once, as run=ID&run=ID"],
                }
            );
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = await context.Runs.Where(row => ids.Contains(row.Id)).Select(row => row.Id).ToListAsync(cancellationToken);
        return ids.Except(known).Select(id => (Guid?)id).FirstOrDefault() is { } missing
            ? RunEndpoints.Unknown(missing)
            : TypedResults.Ok(await comparer.CompareAsync(ids, cancellationToken));
    }

    private static async Task<Results<Ok<DisagreementPage>, ProblemHttpResult>> ListAsync(
        Guid runId,
        [FromQuery] Guid with,
        ImageRequest request,
        ImageCatalog images,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(RightRun))] string? right = null,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        foreach (var id in new[] { runId, with })
        {
            if ((await request.FindEvaluatedAsync(id, cancellationToken)).Problem is { } problem)
            {
                return problem;
            }
        }

        RightRun? wanted = right is null ? null : Enum.Parse<RightRun>(right, ignoreCase: true);
        var pairs = (await images.JoinAsync(runId, with, cancellationToken))
            .Common.Where(pair => pair.First.IsRight != pair.Second.IsRight)
            .Where(pair => wanted is null || pair.First.IsRight == (wanted == RightRun.First))
            .ToList();
        var (page, next) = ImagePage.Of(pairs, after, limit);
        return TypedResults.Ok(
            new DisagreementPage(
                pairs.Count,
                [.. page.Select(pair => new Disagreement(pair.Name, pair.Sha256, pair.ClassName, Judge(pair.First), Judge(pair.Second)))],
                next
            )
        );
    }

    private static Judgement Judge(JudgedImage image) => new(image.Predicted, image.Probability, image.Own, image.IsRight);
}
