using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Imaging;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Images;

/// <summary>The images of data sets, and what was found about them.</summary>
internal static class DatasetImageEndpoints
{
    private const int MostOccurrences = 20;

    public static void MapDatasetImages(this IEndpointRouteBuilder api)
    {
        var datasets = api.MapGroup("/datasets/{sha256}").WithTags("Data sets").AddEndpointFilter<DamagedFileFilter>();
        datasets
            .MapRead("images", ListAsync)
            .WithSummary("The images of a data set: name, hash, class and split")
            .WithDescription(
                "With run, names and splits are that run's; without, those of a source that holds the data set. row, as often as wanted, names images by their rows, and gives them in that order."
            )
            .ProducesProblem(404)
            .ProducesProblem(410);
        datasets.MapPicture();
        datasets
            .MapRead("classes", ListClassesAsync)
            .WithSummary("The classes of a data set with their numbers of images, and samples of each")
            .ProducesProblem(404)
            .ProducesProblem(410);
        datasets
            .MapRead("skipped", ListSkippedAsync)
            .WithSummary("Files of the source that cannot be used, with the reason of each")
            .ProducesProblem(404)
            .ProducesProblem(410);
        datasets
            .MapRead("duplicates", ListDuplicatesAsync)
            .WithSummary("Images that occur more than once, bit for bit")
            .ProducesProblem(404)
            .ProducesProblem(410);
    }

    private static async Task<Results<Ok<DatasetImagePage>, ValidationProblem, ProblemHttpResult>> ListAsync(
        string sha256,
        ImageRequest request,
        CancellationToken cancellationToken,
        [FromQuery] string? @class = null,
        [FromQuery] string? split = null,
        [FromQuery] int[]? row = null,
        [FromQuery] Guid? run = null,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (images, splits, problem) = await request.FindAsync(sha256, run, cancellationToken);
        if (images is null || splits is null)
        {
            return problem!;
        }

        var listed = images.Manifest.Images;
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var label = ImageRequest.ReadClass("class", @class, images, errors);
        if (split is not null && !splits.Names.Contains(split, StringComparer.Ordinal))
        {
            errors["split"] = [$"is '{RunSpecificationRules.Shown(split)}'; it must be one of {string.Join(", ", splits.Names)}"];
        }

        foreach (var wrong in (row ?? []).Where(one => one < 0 || one >= listed.Count).Take(1))
        {
            errors["row"] = [$"is {wrong}; the data set has {listed.Count} images, and the first is row 0"];
        }

        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        var rows = (row is { Length: > 0 } ? row : Enumerable.Range(0, listed.Count)).Where(one =>
            (label is null || listed[one].Label == label) && (split is null || splits.Of(one) == split)
        );
        var (page, next) = ImagePage.Of(rows, after, limit);
        return TypedResults.Ok(new DatasetImagePage([.. page.Select(splits.Describe)], next));
    }

    private static async Task<Results<Ok<DatasetClasses>, ProblemHttpResult>> ListClassesAsync(
        string sha256,
        ImageRequest request,
        CancellationToken cancellationToken,
        [FromQuery] Guid? run = null,
        [FromQuery, Range(0, 50)] int samples = 5
    )
    {
        var (images, splits, problem) = await request.FindAsync(sha256, run, cancellationToken);
        if (images is null || splits is null)
        {
            return problem!;
        }

        var counts = splits.CountByLabel();
        var classes = images
            .Manifest.ClassNames.Select(
                (name, label) =>
                    new DatasetClass(
                        label,
                        name,
                        images.RowsByLabel[label].Length,
                        counts[label],
                        [.. Spread(images.RowsByLabel[label], samples).Select(splits.Describe)]
                    )
            )
            .ToList();
        var sizes = classes.Where(one => one.Images > 0).Select(one => one.Images).ToList();
        return TypedResults.Ok(
            new DatasetClasses(images.Manifest.Images.Count, sizes.Count == 0 ? null : (double)sizes.Max() / sizes.Min(), classes)
        );
    }

    private static async Task<Results<Ok<SkippedImagePage>, ValidationProblem, ProblemHttpResult>> ListSkippedAsync(
        string sha256,
        ImageRequest request,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(SkipReason))] string? reason = null,
        [FromQuery] Guid? run = null,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (images, _, problem) = await request.FindAsync(sha256, run, cancellationToken);
        if (images is null)
        {
            return problem!;
        }

        SkipReason? wanted = reason is null ? null : Enum.Parse<SkipReason>(reason, ignoreCase: true);
        var files = images.Found.Skipped.Where(file => wanted is null || file.Reason == wanted).ToList();
        var (page, next) = ImagePage.Of(files, after, limit);
        return TypedResults.Ok(
            new SkippedImagePage(
                files.Count,
                [
                    .. page.Select(file => new SkippedImage(
                        file.Name,
                        JsonNamingPolicy.CamelCase.ConvertName($"{file.Reason}"),
                        file.Detail,
                        SkipReasons.Advice(file.Reason)
                    )),
                ],
                next
            )
        );
    }

    private static async Task<Results<Ok<DuplicatedImagePage>, ProblemHttpResult>> ListDuplicatesAsync(
        string sha256,
        ImageRequest request,
        CancellationToken cancellationToken,
        [FromQuery] bool acrossSplits = false,
        [FromQuery] bool differentClasses = false,
        [FromQuery] Guid? run = null,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (images, splits, problem) = await request.FindAsync(sha256, run, cancellationToken);
        if (images is null || splits is null)
        {
            return problem!;
        }

        var listed = images.Manifest.Images;
        var groups = images
            .Copies.Select(rows => new DuplicatedImage(
                listed[rows[0]].Sha256,
                rows.Select(row => listed[row].Split).Distinct().Skip(1).Any(),
                rows.Select(row => listed[row].Label).Distinct().Skip(1).Any(),
                [.. rows.Take(MostOccurrences).Select(splits.Describe)],
                rows.Count
            ))
            .Where(image => (!acrossSplits || image.AcrossSplits) && (!differentClasses || image.DifferentClasses))
            .ToList();
        var (page, next) = ImagePage.Of(groups, after, limit);
        return TypedResults.Ok(new DuplicatedImagePage(groups.Count, page, next));
    }

    private static IEnumerable<int> Spread(int[] rows, int count) =>
        Enumerable.Range(0, Math.Min(count, rows.Length)).Select(i => rows[(int)((long)i * rows.Length / Math.Min(count, rows.Length))]);
}
