using Distributed.Messaging;
using Distributed.Registry;

namespace Distributed.AdminApi.Predictions;

/// <summary>Why there is no prediction; each API words it in its own way.</summary>
/// <param name="Status">Status of the answer.</param>
/// <param name="Title">What went wrong, in a sentence.</param>
/// <param name="Detail">Why, and what to do.</param>
internal sealed record PredictionProblem(int Status, string Title, string Detail)
{
    /// <summary>Name of the field or parameter that is wrong; null where it is none.</summary>
    public string? Field { get; private init; }

    /// <summary>Whether the same request may succeed in a moment.</summary>
    public bool IsForNow => Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable;

    /// <summary>Seconds after which to try again where <see cref="IsForNow"/>.</summary>
    public const string RetryAfter = "1";

    /// <summary>What an error means for the sender of the request; null where the error is not about it.</summary>
    public static PredictionProblem? Of(Exception exception) =>
        exception switch
        {
            UnreadableImagesException unreadable => new(unreadable.Status, "The images cannot be read.", exception.Message),
            RegistryException { Problem: RegistryProblem.Invalid, Field: { } field } => new(
                StatusCodes.Status400BadRequest,
                "The request is wrong.",
                exception.Message
            )
            {
                Field = field,
            },
            RegistryException => new(StatusCodes.Status404NotFound, "It is not there.", exception.Message),
            PredictionRefusedException => new(StatusCodes.Status409Conflict, "The model cannot be used.", exception.Message),
            TooManyPredictionsException => new(StatusCodes.Status429TooManyRequests, "Too many requests.", exception.Message),
            RequestRefusedException => new(StatusCodes.Status503ServiceUnavailable, "No worker can answer now.", exception.Message),
            TimeoutException => new(StatusCodes.Status504GatewayTimeout, "There was no answer in time.", exception.Message),
            _ => null,
        };

    /// <summary>An endpoint filter that answers errors in the words of one API.</summary>
    /// <param name="write">Makes the answer.</param>
    public static Func<EndpointFilterInvocationContext, EndpointFilterDelegate, ValueTask<object?>> Filter(
        Func<PredictionProblem, IResult> write
    ) =>
        async (context, next) =>
        {
            PredictionProblem problem;
            try
            {
                return await next(context);
            }
            catch (Exception exception) when (Of(exception) is not null)
            {
                problem = Of(exception)!;
            }

            if (problem.IsForNow)
            {
                context.HttpContext.Response.Headers.RetryAfter = RetryAfter;
            }

            return write(problem);
        };

    /// <summary>The answer of this program's own API.</summary>
    public IResult ToResult() =>
        Field is { } field
            ? TypedResults.ValidationProblem(new Dictionary<string, string[]> { [field] = [Detail] })
            : TypedResults.Problem(title: Title, detail: Detail, statusCode: Status);
}
