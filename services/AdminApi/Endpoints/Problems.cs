using System.Text.Json;
using Distributed.Catalog;
using Microsoft.AspNetCore.Diagnostics;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Says what is wrong, where the framework by itself would give a bare status.</summary>
internal static class Problems
{
    public static void AddProblems(this IServiceCollection services)
    {
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Explain);
    }

    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler(
            new ExceptionHandlerOptions
            {
                StatusCodeSelector = ChooseStatus,
                // The sender's mistakes are for the sender to read.
                SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException,
            }
        );
        app.UseStatusCodePages();
    }

    private static int ChooseStatus(Exception exception) =>
        exception switch
        {
            BadHttpRequestException bad => bad.StatusCode,
            _ when CatalogOutage.Is(exception) => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        };

    private static void Explain(ProblemDetailsContext context)
    {
        var problem = context.ProblemDetails;
        problem.Detail = context.Exception switch
        {
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json } => Describe(json),
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest }
                when HttpMethods.IsPost(context.HttpContext.Request.Method) && context.HttpContext.Request.ContentLength is null or 0 =>
                "The request has no body. Send a JSON object; {} is the sample run.",
            BadHttpRequestException bad => bad.Message,
            { } exception when CatalogOutage.Is(exception) => "The catalog's database cannot be reached at the moment. Try again later.",
            null when problem.Status == StatusCodes.Status415UnsupportedMediaType =>
                "Say what the body is by the header Content-Type: application/json for JSON; image/jpeg, image/png, application/octet-stream or multipart/form-data for images.",
            _ => problem.Detail,
        };
    }

    /// <summary>What is wrong with a body: it is no JSON, has a field too many, or one of another type.</summary>
    private static string Describe(JsonException json)
    {
        const string Root = "$.";
        var field = json.Path?.StartsWith(Root, StringComparison.Ordinal) == true ? json.Path[Root.Length..] : null;
        return field is null ? $"The body is not JSON: {json.Message}"
            : json.Message.Contains("could not be mapped", StringComparison.Ordinal) ? $"The body has an unknown field: {field}."
            : $"The field '{field}' of the body cannot be read: it is of another type than it must be. /docs describes every body.";
    }
}
