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
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json } =>
                $"The body is not JSON: {json.Message}",
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest }
                when HttpMethods.IsPost(context.HttpContext.Request.Method) && context.HttpContext.Request.ContentLength is null or 0 =>
                "The request has no body. Send a JSON object; {} is the sample run.",
            BadHttpRequestException bad => bad.Message,
            { } exception when CatalogOutage.Is(exception) => "The catalog's database cannot be reached at the moment. Try again later.",
            _ => problem.Detail,
        };
    }
}
