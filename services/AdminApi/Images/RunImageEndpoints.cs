using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Endpoints;
using Distributed.Artifacts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Images;

/// <summary>The order of a run's test images.</summary>
public enum TestedImageOrder
{
    /// <summary>That of the data set.</summary>
    Index,

    /// <summary>Those whose prediction was most sure first: with right=false the most confident mistakes.</summary>
    Confident,

    /// <summary>Those whose prediction was least sure first.</summary>
    Unsure,

    /// <summary>Those whose own class is least probable first.</summary>
    Unlikely,
}

/// <summary>What a run found image by image.</summary>
internal static class RunImageEndpoints
{
    public static void MapRunImages(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/runs/{runId:guid}").WithTags("Runs").AddEndpointFilter<DamagedFileFilter>();
        runs.MapRead("images", ListAsync)
            .WithSummary("What a run's head made of its test images")
            .WithDescription(
                "actual and predicted name a cell of the confusion matrix; right=false with sort=confident are the most confident mistakes."
            )
            .ProducesProblem(404)
            .ProducesProblem(410);
        runs.MapRead("labels", ListLabelsAsync)
            .WithSummary("Training and validation images by the probability of their own label, the least probable first")
            .WithDescription(
                "Each image is judged by a classifier that has learnt from all others; with doubted, only those for which another class is more probable."
            )
            .ProducesProblem(404)
            .ProducesProblem(410);
        runs.MapRead("near-duplicates", ListNearDuplicatesAsync)
            .WithSummary("Test images that are versions of an image that the head learned from, the most alike first")
            .ProducesProblem(404)
            .ProducesProblem(410);
    }

    private static async Task<Results<Ok<TestedImagePage>, ValidationProblem, ProblemHttpResult>> ListAsync(
        Guid runId,
        ImageRequest request,
        ImageCatalog catalog,
        CancellationToken cancellationToken,
        [FromQuery] string? actual = null,
        [FromQuery] string? predicted = null,
        [FromQuery] bool? right = null,
        [FromQuery, EnumDataType(typeof(TestedImageOrder))] string sort = "index",
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (found, problem) = await request.FindEvaluatedAsync(runId, cancellationToken);
        if (found is null)
        {
            return problem!;
        }

        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var (label, named) = (
            ImageRequest.ReadClass("actual", actual, found.Images, errors),
            ImageRequest.ReadClass("predicted", predicted, found.Images, errors)
        );
        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        var predictions = await catalog.ReadPredictionsAsync(found.Evaluation, cancellationToken);
        var leaked = (await catalog.FindAuditAsync(found.Evaluation, cancellationToken))?.LeakedTestImages;
        List<TestPrediction> chosen =
        [
            .. predictions.Where(one =>
                (label is null || one.Label == label)
                && (named is null || one.Predicted == named)
                && (right is null || one.IsRight == right)
            ),
        ];
        var sorted = Enum.Parse<TestedImageOrder>(sort, ignoreCase: true) switch
        {
            TestedImageOrder.Confident => chosen.OrderByDescending(one => one.Probability).ThenBy(one => one.Image),
            TestedImageOrder.Unsure => chosen.OrderBy(one => one.Probability).ThenBy(one => one.Image),
            TestedImageOrder.Unlikely => chosen.OrderBy(one => one.Own).ThenBy(one => one.Image),
            _ => chosen.OrderBy(one => one.Image),
        };
        var (page, next) = ImagePage.Of(sorted, after, limit);
        var manifest = found.Images.Manifest;
        return TypedResults.Ok(
            new TestedImagePage(
                chosen.Count,
                [
                    .. page.Select(one => new TestedImage(
                        one.Image,
                        manifest.Images[one.Image].Name,
                        manifest.Images[one.Image].Sha256,
                        manifest.ClassNames[one.Label],
                        manifest.ClassNames[one.Predicted],
                        one.IsRight,
                        one.Probability,
                        one.Own,
                        leaked?.Contains(one.Image)
                    )),
                ],
                next
            )
        );
    }

    private static async Task<Results<Ok<JudgedLabelPage>, ValidationProblem, ProblemHttpResult>> ListLabelsAsync(
        Guid runId,
        ImageRequest request,
        ImageCatalog catalog,
        CancellationToken cancellationToken,
        [FromQuery] bool doubted = false,
        [FromQuery] string? @class = null,
        [FromQuery] string? suggested = null,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (found, problem) = await request.FindEvaluatedAsync(runId, cancellationToken);
        if (found is null)
        {
            return problem!;
        }

        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var (label, other) = (
            ImageRequest.ReadClass("class", @class, found.Images, errors),
            ImageRequest.ReadClass("suggested", suggested, found.Images, errors)
        );
        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        if (await catalog.FindAuditAsync(found.Evaluation, cancellationToken) is not { } audit)
        {
            return NoAudit(runId);
        }

        List<JudgedLabel> chosen =
        [
            .. audit.Labels.Where(one =>
                (!doubted || one.Suggested != one.Label)
                && (label is null || one.Label == label)
                && (other is null || one.Suggested == other)
            ),
        ];
        var (page, next) = ImagePage.Of(chosen, after, limit);
        var manifest = found.Images.Manifest;
        return TypedResults.Ok(
            new JudgedLabelPage(
                chosen.Count,
                [
                    .. page.Select(one => new JudgedLabelImage(
                        one.Image,
                        manifest.Images[one.Image].Name,
                        manifest.Images[one.Image].Sha256,
                        manifest.ClassNames[one.Label],
                        one.Own,
                        manifest.ClassNames[one.Suggested],
                        one.Probability
                    )),
                ],
                next,
                audit.LabelsNotJudged
            )
        );
    }

    private static async Task<Results<Ok<NearDuplicatePage>, ProblemHttpResult>> ListNearDuplicatesAsync(
        Guid runId,
        ImageRequest request,
        ImageCatalog catalog,
        CancellationToken cancellationToken,
        [FromQuery, Range(0, int.MaxValue)] int? after = null,
        [FromQuery, Range(1, RunListEndpoints.MostPerPage)] int limit = 50
    )
    {
        var (found, problem) = await request.FindEvaluatedAsync(runId, cancellationToken);
        if (found is null)
        {
            return problem!;
        }

        if (await catalog.FindAuditAsync(found.Evaluation, cancellationToken) is not { } audit)
        {
            return NoAudit(runId);
        }

        var (page, next) = ImagePage.Of(audit.NearDuplicates, after, limit);
        return TypedResults.Ok(
            new NearDuplicatePage(
                audit.NearDuplicates.Count,
                [
                    .. page.Select(pair => new NearDuplicatePair(
                        found.Splits.Describe(pair.Test),
                        found.Splits.Describe(pair.Training),
                        pair.Similarity,
                        pair.Correlation
                    )),
                ],
                next,
                audit.NearDuplicatesNotSought
            )
        );
    }

    private static ProblemHttpResult NoAudit(Guid runId) =>
        ImageRequest.NotFound(
            "What was found about the data set is not kept any more.",
            $"The features of run {runId:D} were removed, and what they said about its data set with them. Submit its specification again."
        );
}
