using System.Security.Claims;
using System.Text.Json;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.Registry;
using Distributed.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.EntityFrameworkCore;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Submit, watch, cancel, retry and delete runs.</summary>
internal static class RunEndpoints
{
    private const int LongestKey = 200;

    public static void MapRuns(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/runs").WithTags("Runs");
        runs.MapPost("", SubmitAsync)
            .AddOpenApiOperationTransformer(DescribeBodyAsync)
            .WithSummary("Submit a run")
            .WithDescription(
                "The body is a run specification; {} is the sample run. With an Idempotency-Key a repeated request is answered with the first one's run."
            )
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType);
        runs.MapRunList();
        runs.MapRead("{runId:guid}", FindAsync).WithSummary("A run in full").ProducesProblem(StatusCodes.Status404NotFound);
        runs.MapPost("{runId:guid}/cancel", CancelAsync)
            .WithSummary("Cancel a run")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
        runs.MapPost("{runId:guid}/retry", RetryAsync)
            .WithSummary("Retry a run")
            .WithDescription(
                "A run that failed or was cancelled goes on from the stage in which it ended; what is done stays done, and its time limit begins again."
            )
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
        runs.MapRunLabels();
        runs.MapDelete("{runId:guid}", DeleteAsync)
            .WithSummary("Delete a run")
            .WithDescription("Removes a run that has ended, its head and its report. Data sets and features stay: other runs may use them.")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        runs.MapRead("{runId:guid}/metrics", FindMetricsAsync)
            .WithSummary("Learning curve and test result")
            .ProducesProblem(StatusCodes.Status404NotFound);
        runs.MapRead("{runId:guid}/report", ReadReportAsync)
            .WithSummary("The report, one HTML page")
            .Produces<string>(contentType: "text/html")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone);
        runs.MapBackboneComparisons();
        runs.MapDatasetPredictions();
        runs.MapTables();
    }

    /// <summary>The body is bound as plain JSON, so that every wrong field is answered at once; its settings tell their shape.</summary>
    private static Task DescribeBodyAsync(
        OpenApiOperation operation,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var schema = OpenApiModelFactory.Parse<OpenApiSchema>(
            RunSettings.Schema().ToJsonString(),
            OpenApiSpecVersion.OpenApi3_1,
            context.Document!,
            out _
        )!;
        context.Document!.AddComponent(nameof(RunSpecification), schema);
        operation.RequestBody!.Content!["application/json"].Schema = new OpenApiSchemaReference(nameof(RunSpecification), context.Document);
        return Task.CompletedTask;
    }

    private static async Task<Results<Accepted<RunDetail>, ValidationProblem, ProblemHttpResult>> SubmitAsync(
        [FromBody] JsonElement body,
        [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey,
        RunSubmission submission,
        RunQueries queries,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        if (RunSpecificationReader.Read(body, out var errors) is not { } specification)
        {
            return Refuse(errors);
        }

        if (idempotencyKey is { Length: 0 or > LongestKey })
        {
            return TypedResults.ValidationProblem(
                new Dictionary<string, string[]>
                {
                    ["Idempotency-Key"] = [$"has {idempotencyKey.Length} characters; 1 to {LongestKey} are allowed"],
                }
            );
        }

        try
        {
            var (outcome, run) = await submission.SubmitAsync(
                Guid.CreateVersion7(),
                specification,
                idempotencyKey,
                user.Actor(),
                cancellationToken
            );
            return outcome == SubmitOutcome.Conflict
                ? Conflict(
                    "The Idempotency-Key stands for another specification.",
                    $"Run {run.Id:D} was submitted with this key and another specification. Use a new key for a new run."
                )
                : TypedResults.Accepted($"/api/v1/runs/{run.Id:D}", await queries.FindAsync(run.Id, cancellationToken));
        }
        catch (RegistryException wrong)
        {
            return Refuse([PredictionSettings.Describe(wrong)]);
        }
    }

    private static ValidationProblem Refuse(IReadOnlyList<SpecificationError> errors) =>
        TypedResults.ValidationProblem(
            errors.GroupBy(error => error.Field).ToDictionary(group => group.Key, group => group.Select(error => error.Message).ToArray())
        );

    private static async Task<Results<Ok<RunDetail>, ProblemHttpResult>> FindAsync(
        Guid runId,
        RunQueries queries,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        if (await queries.FindAsync(runId, cancellationToken) is not { } run)
        {
            return Unknown(runId);
        }

        response.Headers.ETag = EntityTag.Of(run.Revision);
        return TypedResults.Ok(run);
    }

    private static async Task<Results<Accepted<RunDetail>, ProblemHttpResult>> CancelAsync(
        Guid runId,
        RunOperations operations,
        RunQueries queries,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        var cancelled = await operations.CancelAsync(runId, user.Actor(), cancellationToken);
        if (await queries.FindAsync(runId, cancellationToken) is not { } run)
        {
            return Unknown(runId);
        }

        return cancelled || run.Summary.State == RunState.Cancelled
            ? TypedResults.Accepted($"/api/v1/runs/{runId:D}", run)
            : Conflict(
                "The run has ended already.",
                $"Run {runId:D} is {run.Summary.State.ToString().ToLowerInvariant()}; only a run that has not ended can be cancelled."
            );
    }

    private static async Task<Results<Accepted<RunDetail>, ProblemHttpResult>> RetryAsync(
        Guid runId,
        RunOperations operations,
        RunQueries queries,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    )
    {
        var outcome = await operations.RetryAsync(runId, user.Actor(), cancellationToken);
        if (outcome == RetryOutcome.Unknown || await queries.FindAsync(runId, cancellationToken) is not { } run)
        {
            return Unknown(runId);
        }

        return outcome switch
        {
            RetryOutcome.Completed => Conflict(
                "The run is complete.",
                $"Run {runId:D} is complete; submit its specification again to repeat it."
            ),
            RetryOutcome.Refused => Conflict(
                "The run was refused.",
                $"Run {runId:D} was never begun, since its specification is not valid. Mend the specification and submit it again."
            ),
            _ => TypedResults.Accepted($"/api/v1/runs/{runId:D}", run),
        };
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        Guid runId,
        RunOperations operations,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    ) =>
        await operations.DeleteAsync(runId, user.Actor(), cancellationToken) switch
        {
            DeleteOutcome.Deleted => TypedResults.NoContent(),
            DeleteOutcome.Unknown => Unknown(runId),
            DeleteOutcome.Registered => Conflict(
                "The run is a version of a model.",
                $"Run {runId:D} is needed by a model; GET /api/v1/models?run={runId:D} says which. Delete that version first."
            ),
            DeleteOutcome.EndUnpublished => TypedResults.Problem(
                title: "The run's end is not published yet.",
                detail: $"Run {runId:D} has ended, and the broker cannot be reached to tell those who wait for it. Try again later.",
                statusCode: StatusCodes.Status503ServiceUnavailable
            ),
            _ => Conflict(
                "The run has not ended.",
                $"Run {runId:D} is under way. Cancel it first, with POST /api/v1/runs/{runId:D}/cancel."
            ),
        };

    private static async Task<Results<Ok<RunMetrics>, ProblemHttpResult>> FindMetricsAsync(
        Guid runId,
        RunQueries queries,
        CancellationToken cancellationToken
    ) => await queries.FindMetricsAsync(runId, cancellationToken) is { } metrics ? TypedResults.Ok(metrics) : Unknown(runId);

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> ReadReportAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        Volume volume,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var evaluation = await context.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.RunId == runId, cancellationToken);
        if (evaluation is null)
        {
            var run = await context.Runs.AsNoTracking().SingleOrDefaultAsync(row => row.Id == runId, cancellationToken);
            return run switch
            {
                null => Unknown(runId),
                { Model: { } model } => TypedResults.Problem(
                    title: "There is no report.",
                    detail: $"Run {runId:D} predicts with {model}; what it found is at /api/v1/runs/{runId:D}/predictions.csv.",
                    statusCode: StatusCodes.Status404NotFound
                ),
                { State: RunState.Completed, Candidates: not null } => TypedResults.Problem(
                    title: "There is no report.",
                    detail: $"Run {runId:D} compared bases; the picture is at /api/v1/runs/{runId:D}/comparison.svg.",
                    statusCode: StatusCodes.Status404NotFound
                ),
                _ => TypedResults.Problem(
                    title: "There is no report yet.",
                    detail: $"Run {runId:D} has not been evaluated.",
                    statusCode: StatusCodes.Status404NotFound
                ),
            };
        }

        if (evaluation.Report is not { } report)
        {
            return TypedResults.Problem(
                title: "There is no report.",
                detail: $"Run {runId:D} was submitted with \"report\": false. Its figures are at /api/v1/runs/{runId:D}/metrics; submit its specification again without that field for a report.",
                statusCode: StatusCodes.Status404NotFound
            );
        }

        http.Response.Headers.ContentSecurityPolicy =
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
        try
        {
            return TypedResults.File(await volume.ReadAllBytesAsync(report, cancellationToken), "text/html; charset=utf-8");
        }
        catch (StoredFileException exception)
        {
            return TypedResults.Problem(
                title: "The report is damaged or missing.",
                detail: $"{exception.Message} Submit the run's specification again: its features are there, so it takes seconds, and writes the report again.",
                statusCode: StatusCodes.Status410Gone
            );
        }
    }

    private static ProblemHttpResult Conflict(string title, string detail) =>
        TypedResults.Problem(title: title, detail: detail, statusCode: StatusCodes.Status409Conflict);

    public static ProblemHttpResult Unknown(Guid runId) =>
        TypedResults.Problem(
            title: "There is no such run.",
            detail: $"No run has the id {runId:D}.",
            statusCode: StatusCodes.Status404NotFound
        );
}
