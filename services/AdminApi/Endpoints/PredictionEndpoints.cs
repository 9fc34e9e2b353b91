using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using Distributed.AdminApi.Access;
using Distributed.AdminApi.Predictions;
using Distributed.Contracts;
using Distributed.Messaging;
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
            .AddEndpointFilter<PredictionFilter>();

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

    /// <summary>Says why there is no prediction, and whether to try again.</summary>
    private sealed class PredictionFilter : IEndpointFilter
    {
        public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
        {
            try
            {
                return await next(context);
            }
            catch (UnreadableImagesException exception)
            {
                return Problem("The images cannot be read.", exception, exception.Status);
            }
            catch (RegistryException exception) when (exception is { Problem: RegistryProblem.Invalid, Field: { } field })
            {
                return TypedResults.ValidationProblem(new Dictionary<string, string[]> { [field] = [exception.Message] });
            }
            catch (RegistryException exception)
            {
                return Problem("It is not there.", exception, StatusCodes.Status404NotFound);
            }
            catch (PredictionRefusedException exception)
            {
                return Problem("The model cannot be used.", exception, StatusCodes.Status409Conflict);
            }
            catch (TooManyPredictionsException exception)
            {
                return Later("Too many requests.", exception, StatusCodes.Status429TooManyRequests);
            }
            catch (RequestRefusedException exception)
            {
                return Later("No prediction is possible now.", exception, StatusCodes.Status503ServiceUnavailable);
            }
            catch (TimeoutException exception)
            {
                return Problem("There was no answer in time.", exception, StatusCodes.Status504GatewayTimeout);
            }

            ProblemHttpResult Later(string title, Exception exception, int status)
            {
                context.HttpContext.Response.Headers.RetryAfter = "1";
                return Problem(title, exception, status);
            }
        }

        private static ProblemHttpResult Problem(string title, Exception exception, int status) =>
            TypedResults.Problem(title: title, detail: exception.Message, statusCode: status);
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
