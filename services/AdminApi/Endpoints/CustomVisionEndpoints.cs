using System.Net.Mime;
using System.Text.Json;
using System.Text.Json.Serialization;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Predictions;
using Distributed.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Endpoints;

/// <summary>
/// Predictions in the shape of Azure Custom Vision's Prediction API 3.0 and 3.1, so that its callers change a host name and a key.
/// Classification
/// with one tag an image; images are never stored, whichever of the two addresses is asked.
/// </summary>
internal static class CustomVisionEndpoints
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static void MapCustomVision(this IEndpointRouteBuilder app)
    {
        foreach (var version in (string[])["v3.0", "v3.1"])
        {
            var project = app.MapGroup($"/customvision/{version}/prediction/{{projectId:guid}}")
                .RequireAuthorization(ApiAccess.PredictorPolicy)
                .WithMetadata(new RequestSizeLimitAttribute(ImageReader.MostBytes + (1 << 20)))
                .WithMetadata(new RefusalBody((_, reason) => new CustomVisionError("Forbidden", reason), Json))
                .DisableAntiforgery()
                .ExcludeFromDescription()
                .AddEndpointFilter(PredictionProblem.Filter(Write));
            foreach (var store in (string[])["", "/nostore"])
            {
                project.MapPost("classify/iterations/{publishedName}/image" + store, PredictImageAsync);
                project.MapPost("classify/iterations/{publishedName}/url" + store, PredictUrlAsync);
                project.MapPost("detect/iterations/{publishedName}/image" + store, RefuseDetection);
                project.MapPost("detect/iterations/{publishedName}/url" + store, RefuseDetection);
            }
        }
    }

    private static async Task<IResult> PredictImageAsync(
        Guid projectId,
        string publishedName,
        HttpRequest request,
        ImageReader reader,
        CustomVisionProjects projects,
        PredictionService predictions,
        TimeProvider time,
        CancellationToken cancellationToken
    ) =>
        await reader.ReadAsync(request, cancellationToken) is [var image]
            ? await PredictAsync(projectId, publishedName, image, projects, predictions, time, cancellationToken)
            : Error(StatusCodes.Status400BadRequest, "BadRequestImageBatch", "Send one image a request.");

    private static async Task<IResult> PredictUrlAsync(
        Guid projectId,
        string publishedName,
        HttpRequest request,
        ImageReader reader,
        CustomVisionProjects projects,
        PredictionService predictions,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var images = await reader.FetchAsync([await ReadUrlAsync(request, cancellationToken)], cancellationToken);
        return await PredictAsync(projectId, publishedName, images[0], projects, predictions, time, cancellationToken);
    }

    private static async Task<IResult> PredictAsync(
        Guid projectId,
        string publishedName,
        InputImage image,
        CustomVisionProjects projects,
        PredictionService predictions,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        if (await projects.FindAsync(projectId, publishedName, cancellationToken) is not { } model)
        {
            return Error(
                StatusCodes.Status404NotFound,
                "NotFoundProject",
                $"There is no project {projectId:D}. The API lists each model's id; the setting {CustomVisionProjects.Section.Replace(":", "__", StringComparison.Ordinal)}__{projectId:D}=MODEL gives it another."
            );
        }

        var (version, answer) = await predictions.PredictAsync(
            model,
            [image.Content],
            arePixels: false,
            int.MaxValue,
            evidence: null,
            timeout: null,
            cancellationToken
        );
        return answer.Images[0] is { Rejected: { } rejected }
            ? Error(StatusCodes.Status400BadRequest, "BadRequestImageFormat", $"The image cannot be used: {rejected}.")
            : TypedResults.Json(Describe(projectId, version, answer.Images[0], time.GetUtcNow().UtcDateTime), Json);
    }

    private static CustomVisionPrediction Describe(Guid projectId, int version, ImagePrediction image, DateTime now) =>
        new(
            Guid.CreateVersion7(),
            projectId,
            CustomVisionProjects.IterationOf(projectId, version),
            now,
            [
                .. image.Classes.Select(one => new CustomVisionTag(
                    one.Probability,
                    CustomVisionProjects.TagOf(projectId, one.Class),
                    one.Class,
                    "Regular"
                )),
            ]
        );

    private static JsonHttpResult<CustomVisionError> RefuseDetection(Guid projectId, string publishedName) =>
        Error(
            StatusCodes.Status400BadRequest,
            "BadRequestNotSupported",
            $"Project {projectId:D} has no detector {publishedName}: images are classified here, objects are not located."
        );

    private static async Task<string> ReadUrlAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            using var body = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancellationToken);
            foreach (var property in body.RootElement.EnumerateObject())
            {
                if (property.Name.Equals("url", StringComparison.OrdinalIgnoreCase) && property.Value.GetString() is { } url)
                {
                    return url;
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Said below.
        }

        throw new UnreadableImagesException("The body must be {\"Url\": \"https://…\"}.");
    }

    private static IResult Write(PredictionProblem problem) =>
        Error(
            problem.Status,
            problem.Status switch
            {
                StatusCodes.Status404NotFound => "NotFoundIteration",
                StatusCodes.Status413PayloadTooLarge => "BadRequestImageSizeBytes",
                StatusCodes.Status400BadRequest => "BadRequestImageStream",
                StatusCodes.Status409Conflict => "ErrorPredictionModelNotCached",
                _ => "ErrorPredictionServiceUnavailable",
            },
            problem.Detail
        );

    private static JsonHttpResult<CustomVisionError> Error(int status, string code, string message) =>
        TypedResults.Json(new CustomVisionError(code, message), Json, MediaTypeNames.Application.Json, status);
}

/// <summary>Custom Vision's <c>ImagePrediction</c>.</summary>
/// <param name="Id">Of this prediction.</param>
/// <param name="Project">The project's id.</param>
/// <param name="Iteration">Of the version that answered.</param>
/// <param name="Created">When (UTC).</param>
/// <param name="Predictions">Of all classes, the most probable first.</param>
internal sealed record CustomVisionPrediction(
    Guid Id,
    Guid Project,
    Guid Iteration,
    DateTime Created,
    IReadOnlyList<CustomVisionTag> Predictions
);

/// <summary>Custom Vision's <c>Prediction</c>.</summary>
/// <param name="Probability">0 to 1; those of all tags sum to 1.</param>
/// <param name="TagId">Id of the class.</param>
/// <param name="TagName">The class.</param>
/// <param name="TagType">Always <c>Regular</c>.</param>
internal sealed record CustomVisionTag(double Probability, Guid TagId, string TagName, string TagType);

/// <summary>Custom Vision's error.</summary>
/// <param name="Code">One of its codes.</param>
/// <param name="Message">What is wrong, and what to do.</param>
internal sealed record CustomVisionError(string Code, string Message);
