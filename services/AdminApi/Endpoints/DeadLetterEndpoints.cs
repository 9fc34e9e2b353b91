using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using System.Text;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>What was given up.</summary>
internal static class DeadLetterEndpoints
{
    private const int MostPerPage = 500;
    private const int LongestShown = 4096;

    public static void MapDeadLetters(this IEndpointRouteBuilder api)
    {
        var letters = api.MapGroup("/dead-letters").WithTags("Workers");
        letters
            .MapRead("", ListAsync)
            .WithSummary("What was given up, the latest first: jobs without attempts left, and messages that name neither job nor run")
            .WithDescription("open=true leaves out what was requeued. They are kept for 90 days, the latest 10,000 of them.")
            .ProducesValidationProblem();
        letters
            .MapPost("{id:guid}/requeue", RequeueAsync)
            .WithSummary("Requeue what was given up")
            .WithDescription(
                "A job: the runs that failed for it are opened again, as a retry does. A message is sent once more as it was, to the queue that it was in. Anything can be requeued once."
            )
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<Ok<DeadLetterPage>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        JobStages stages,
        CancellationToken cancellationToken,
        [FromQuery] bool open = false,
        [FromQuery] Guid? after = null,
        [FromQuery, Range(1, MostPerPage)] int limit = 50
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var letters = context.DeadLetters.AsNoTracking();
        if (open)
        {
            letters = letters.Where(letter => letter.RequeuedAt == null);
        }

        if (after is { } last)
        {
            letters = letters.Where(letter => letter.Id < last);
        }

        var page = await letters.OrderByDescending(letter => letter.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(
            new DeadLetterPage(
                [.. page.Take(limit).Select(letter => DeadLetterDetail.Of(letter, stages))],
                page.Count > limit ? page[limit - 1].Id : null
            )
        );
    }

    private static async Task<Results<Accepted, ProblemHttpResult>> RequeueAsync(
        Guid id,
        JobRequeue requeue,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    ) =>
        await requeue.RequeueAsync(id, user.Actor(), cancellationToken) switch
        {
            RequeueOutcome.Requeued => TypedResults.Accepted((string?)null),
            RequeueOutcome.NotFailed => TypedResults.Problem(
                title: "There is nothing to requeue.",
                detail: $"The dead letter {id:D} was requeued before, or its job has been tried again since.",
                statusCode: StatusCodes.Status409Conflict
            ),
            RequeueOutcome.NotNeeded => TypedResults.Problem(
                title: "No run needs it.",
                detail: $"The runs that failed for the dead letter {id:D} were deleted or opened again. Submit a run that needs the job.",
                statusCode: StatusCodes.Status409Conflict
            ),
            _ => TypedResults.Problem(
                title: "There is no such dead letter.",
                detail: $"No dead letter has the id {id:D}; GET /api/v1/dead-letters lists them.",
                statusCode: StatusCodes.Status404NotFound
            ),
        };

    /// <summary>Some of what was given up.</summary>
    /// <param name="Items">The latest first.</param>
    /// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
    internal sealed record DeadLetterPage(IReadOnlyList<DeadLetterDetail> Items, Guid? Next);

    /// <summary>Something that was given up.</summary>
    /// <param name="Id">Identity.</param>
    /// <param name="At">When it was given up (UTC).</param>
    /// <param name="Reason">Why.</param>
    /// <param name="Queue">The queue that its message was sent to.</param>
    /// <param name="Job">The job; null for a message that names none.</param>
    /// <param name="RunId">The run, where the job is of one alone.</param>
    /// <param name="Message">The message's beginning, as UTF-8; null for a job.</param>
    /// <param name="MessageBytes">The length of the message that is kept; null for a job.</param>
    /// <param name="RequeuedAt">When it was requeued (UTC); null where it was not.</param>
    /// <param name="RequeuedBy">Who requeued it.</param>
    internal sealed record DeadLetterDetail(
        Guid Id,
        DateTime At,
        string Reason,
        string Queue,
        DeadJob? Job,
        Guid? RunId,
        string? Message,
        int? MessageBytes,
        DateTime? RequeuedAt,
        string? RequeuedBy
    )
    {
        public static DeadLetterDetail Of(DeadLetter letter, JobStages stages) =>
            new(
                letter.Id,
                letter.At,
                letter.Reason,
                letter.Queue ?? stages.For(letter.JobKind!).Queue,
                letter.JobKind is { } kind ? new DeadJob(kind, letter.JobScope!, letter.JobStep!.Value) : null,
                letter.JobScope is { } scope ? JobKey.RunIdOf(scope) : null,
                letter.Body is { } body ? Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, LongestShown))) : null,
                letter.Body?.Length,
                letter.RequeuedAt,
                letter.RequeuedBy
            );
    }

    /// <summary>A job without attempts left.</summary>
    /// <param name="Kind">What is done.</param>
    /// <param name="Scope">What it is done for.</param>
    /// <param name="Step">Which slice, range or shard.</param>
    internal sealed record DeadJob(string Kind, string Scope, int Step);
}
