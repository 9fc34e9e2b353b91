using System.Globalization;
using System.Runtime.InteropServices;
using Distributed.AdminApi.Endpoints;
using Distributed.AdminApi.Images;
using Distributed.Catalog;
using Distributed.Messaging;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Maps;

/// <summary>The images of a run on a map of their features.</summary>
internal static class MapEndpoints
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(5);

    public static void MapFeatureMaps(this IEndpointRouteBuilder api) =>
        api.MapRead("/runs/{runId:guid}/map", ReadAsync)
            .AddEndpointFilter<DamagedFileFilter>()
            .WithTags("Runs")
            .WithSummary("The images of a run in two dimensions: those whose features are alike are near each other")
            .WithDescription(
                "A map is made when it is first asked for: 202 with Retry-After until it is there. Lists have one entry a point; coordinates are whole numbers from 0 to 65535."
            )
            .Produces(StatusCodes.Status202Accepted)
            .ProducesProblem(404)
            .ProducesProblem(410)
            .ProducesProblem(503);

    private static async Task<Results<Ok<RunMap>, StatusCodeHttpResult, ProblemHttpResult>> ReadAsync(
        Guid runId,
        FeatureMaps maps,
        ImageCatalog images,
        Volume volume,
        IDbContextFactory<CatalogContext> contexts,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == runId, cancellationToken);
        if (run is null)
        {
            return RunEndpoints.Unknown(runId);
        }

        if (run.FeatureSetKey is not { } key || run.TrainingAt is null || await images.FindAsync(run, cancellationToken) is not { } found)
        {
            return ImageRequest.NotFound("There are no features yet.", $"Run {runId:D} has not computed the features of its images.");
        }

        if (await maps.FindAsync(key, cancellationToken) is not { } map)
        {
            try
            {
                if (await maps.MakeAsync(key, Wait, cancellationToken) is not { } made)
                {
                    response.Headers.RetryAfter = Wait.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                    return TypedResults.StatusCode(StatusCodes.Status202Accepted);
                }

                if (made.Refused is { } reason)
                {
                    throw new StoredFileException(reason);
                }
            }
            catch (Exception exception) when (exception is RequestRefusedException or TimeoutException)
            {
                response.Headers.RetryAfter = Wait.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                return TypedResults.Problem(
                    title: "The map cannot be made at the moment.",
                    detail: exception.Message,
                    statusCode: StatusCodes.Status503ServiceUnavailable
                );
            }

            map = (await maps.FindAsync(key, cancellationToken))!;
        }

        var evaluation = await context.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        var tested = evaluation is null
            ? []
            : (await images.ReadPredictionsAsync(evaluation, cancellationToken)).ToDictionary(one => one.Image, one => one.IsRight);
        var split = run.Split is null ? null : await images.ReadSplitAsync(run, cancellationToken);
        return TypedResults.Ok(
            RunMap.Of(
                MemoryMarshal.Cast<byte, float>(await volume.ReadAllBytesAsync(map.File, cancellationToken)),
                found,
                new ImageSplits(found, split),
                tested
            )
        );
    }
}

/// <summary>Images in two dimensions. Lists have one entry a point.</summary>
/// <param name="Images">Images of the data set.</param>
/// <param name="ClassNames">The classes; a label is an index into it.</param>
/// <param name="SplitNames">The splits; a split is an index into it.</param>
/// <param name="Rows">The image of each point; null where the points are all images in the order of the data set.</param>
/// <param name="X">From left to right, 0 to 65535.</param>
/// <param name="Y">From top to bottom, in the same measure.</param>
/// <param name="Labels">Its class.</param>
/// <param name="Splits">Its split.</param>
/// <param name="Tested">0 for an image that was not tested, 1 for one that the head has right, 2 for a mistake.</param>
public sealed record RunMap(
    int Images,
    IReadOnlyList<string> ClassNames,
    IReadOnlyList<string> SplitNames,
    IReadOnlyList<int>? Rows,
    IReadOnlyList<int> X,
    IReadOnlyList<int> Y,
    IReadOnlyList<int> Labels,
    IReadOnlyList<int> Splits,
    IReadOnlyList<int> Tested
)
{
    private const int Extent = 65535;

    internal static RunMap Of(ReadOnlySpan<float> places, IngestedImages images, ImageSplits splits, Dictionary<int, bool> tested)
    {
        var (points, count) = (places.Length / 2, images.Manifest.Images.Count);
        var (left, right, top, bottom) = (float.MaxValue, float.MinValue, float.MaxValue, float.MinValue);
        for (var point = 0; point < points; point++)
        {
            (left, right) = (Math.Min(left, places[2 * point]), Math.Max(right, places[2 * point]));
            (top, bottom) = (Math.Min(top, places[(2 * point) + 1]), Math.Max(bottom, places[(2 * point) + 1]));
        }

        // One measure for both, so that what is round stays round.
        var scale = Extent / Math.Max(Math.Max(right - left, bottom - top), float.Epsilon);
        var names = splits.Names.ToList();
        var (rows, x, y) = (new int[points], new int[points], new int[points]);
        var (labels, ofSplit, judged) = (new int[points], new int[points], new int[points]);
        for (var point = 0; point < points; point++)
        {
            var row = (int)((long)point * count / points);
            rows[point] = row;
            x[point] = (int)((places[2 * point] - left) * scale);
            y[point] = (int)((places[(2 * point) + 1] - top) * scale);
            labels[point] = images.Manifest.Images[row].Label;
            ofSplit[point] = names.IndexOf(splits.Of(row));
            judged[point] =
                !tested.TryGetValue(row, out var isRight) ? 0
                : isRight ? 1
                : 2;
        }

        return new RunMap(count, images.Manifest.ClassNames, names, points == count ? null : rows, x, y, labels, ofSplit, judged);
    }
}
