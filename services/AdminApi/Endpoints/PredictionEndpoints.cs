using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Predictions;
using Distributed.Contracts;
using Distributed.Registry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Predictions.</summary>
internal static class PredictionEndpoints
{
    private const int MostClasses = 1000;
    private const int MostNeighbours = 100;

    public static void MapPredictions(this IEndpointRouteBuilder api) =>
        api.MapPost("/models/{reference}/predict", PredictAsync)
            .RequireAuthorization(ApiAccess.PredictorPolicy)
            .WithMetadata(new RequestSizeLimitAttribute(ImageReader.MostBytes + (1 << 20)))
            .DisableAntiforgery()
            .WithTags("Predictions")
            .WithSummary("Predict the classes of images")
            .WithDescription(
                "By NAME@ALIAS or NAME@NUMBER. The body is an image file, a multipart form of several, or {\"urls\": […]}; at most 64 images and 32 MiB."
            )
            .Accepts<byte[]>("application/octet-stream", "image/jpeg", "image/png", "multipart/form-data", "application/json")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .ProducesProblem(StatusCodes.Status504GatewayTimeout)
            .AddEndpointFilter(PredictionProblem.Filter(problem => problem.ToResult()));

    private static async Task<Results<Ok<Predictions>, ProblemHttpResult>> PredictAsync(
        string reference,
        HttpRequest request,
        PredictionService predictions,
        ImageReader reader,
        CancellationToken cancellationToken,
        [FromQuery, Range(1, MostClasses)] int top = 5,
        [FromQuery, Range(0, MostNeighbours)] int neighbours = 0,
        [FromQuery] bool unusual = false,
        [FromQuery] double? confidence = null,
        [FromQuery, Range(1, 300_000)] int? timeout = null
    )
    {
        var started = Stopwatch.GetTimestamp();
        if (confidence is not null and not (> 0 and < 1))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                $"is {confidence}; it must be above 0 and below 1, such as 0.95",
                "confidence"
            );
        }

        var model = ModelReference.Parse(reference);
        var images = await reader.ReadAsync(request, cancellationToken);
        var evidence = neighbours > 0 || unusual || confidence is not null ? new EvidenceRequest(neighbours, unusual, confidence) : null;
        var (version, answer) = await predictions.PredictAsync(
            model,
            [.. images.Select(image => image.Content)],
            arePixels: false,
            top,
            evidence,
            timeout is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null,
            cancellationToken
        );
        if (answer.Images.All(image => image.Rejected is not null))
        {
            return TypedResults.Problem(
                title: "No image can be used.",
                detail: string.Join(" ", answer.Images.Select((image, i) => $"{images[i].Name}: {image.Rejected}")),
                statusCode: StatusCodes.Status422UnprocessableEntity
            );
        }

        return TypedResults.Ok(
            new Predictions(
                model.Name,
                version,
                answer.RunId,
                [.. answer.Images.Select((image, i) => new PredictedImage(images[i].Name, image.Classes, image.Evidence, image.Rejected))],
                new PredictionTimes(
                    answer.Milliseconds.Decode,
                    answer.Milliseconds.Wait,
                    answer.Milliseconds.Compute,
                    Stopwatch.GetElapsedTime(started).TotalMilliseconds
                )
            )
        );
    }
}

/// <summary>The classes of images.</summary>
/// <param name="Model">The model.</param>
/// <param name="Version">The number of the version that answered.</param>
/// <param name="RunId">The run that trained it.</param>
/// <param name="Images">One for each image, in their order.</param>
/// <param name="Milliseconds">Where the time went.</param>
public sealed record Predictions(string Model, int Version, Guid RunId, IReadOnlyList<PredictedImage> Images, PredictionTimes Milliseconds);

/// <summary>The classes of an image.</summary>
/// <param name="Image">Its name, or its number.</param>
/// <param name="Classes">The most probable first; empty where the image cannot be used.</param>
/// <param name="Evidence">What supports it, where that was asked for.</param>
/// <param name="Rejected">Why the image cannot be used; null where it can.</param>
public sealed record PredictedImage(string Image, IReadOnlyList<ClassProbability> Classes, PredictionEvidence? Evidence, string? Rejected);

/// <summary>Where the time of a prediction went, in milliseconds.</summary>
/// <param name="Decode">Decoding and resizing.</param>
/// <param name="Wait">Waiting for images that are computed together, and for the device.</param>
/// <param name="Compute">Features and head.</param>
/// <param name="Total">All, from the request to its answer.</param>
public sealed record PredictionTimes(double Decode, double Wait, double Compute, double Total);
