using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The jobs of a run, and how each attempt at them ended.</summary>
internal static class JobEndpoints
{
    private const int MostPerPage = 500;

    public static void MapJobs(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/runs").WithTags("Runs");
        runs.MapRead("{runId:guid}/jobs", ListAsync)
            .WithSummary("The jobs of a run with their attempts, in the order in which they were planned")
            .WithDescription(
                "Also those that the run shares with others: downloads, packing of images, feature shards. state limits them to one state."
            )
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesValidationProblem();
        runs.MapPost("{runId:guid}/jobs/{jobId:long}/requeue", RequeueAsync)
            .WithSummary("Requeue a failed job of a run")
            .WithDescription(
                "Opens the run again as a retry does: all its failed jobs are requeued, and it goes on from the stage in which it ended."
            )
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<Results<Ok<JobPage>, ValidationProblem, ProblemHttpResult>> ListAsync(
        Guid runId,
        IDbContextFactory<CatalogContext> contexts,
        CancellationToken cancellationToken,
        [FromQuery, EnumDataType(typeof(JobState))] string? state = null,
        [FromQuery] long after = 0,
        [FromQuery, Range(1, MostPerPage)] int limit = 100
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.Runs.AnyAsync(run => run.Id == runId, cancellationToken))
        {
            return Unknown(runId);
        }

        var jobs = context.JobsOf(runId).AsNoTracking().Where(job => job.Id > after);
        if (state is not null)
        {
            var wanted = Enum.Parse<JobState>(state, ignoreCase: true);
            jobs = jobs.Where(job => job.State == wanted);
        }

        var page = await jobs.OrderBy(job => job.Id).Take(limit + 1).ToListAsync(cancellationToken);
        var shown = page.Take(limit).ToList();
        var ids = shown.ConvertAll(job => job.Id);
        var attempts = await context
            .Attempts.AsNoTracking()
            .Where(attempt => ids.Contains(attempt.JobId))
            .OrderBy(attempt => attempt.StartedAt)
            .ToListAsync(cancellationToken);
        var byJob = attempts.ToLookup(attempt => attempt.JobId);
        return TypedResults.Ok(
            new JobPage([.. shown.Select(job => JobDetail.Of(job, byJob[job.Id]))], page.Count > limit ? shown[^1].Id : null)
        );
    }

    private static async Task<Results<Accepted<RunDetail>, ProblemHttpResult>> RequeueAsync(
        Guid runId,
        long jobId,
        JobRequeue requeue,
        RunQueries queries,
        ClaimsPrincipal user,
        CancellationToken cancellationToken
    ) =>
        await requeue.RequeueAsync(runId, jobId, user.Actor(), cancellationToken) switch
        {
            RequeueOutcome.Requeued when await queries.FindAsync(runId, cancellationToken) is { } run => TypedResults.Accepted(
                $"/api/v1/runs/{runId:D}",
                run
            ),
            RequeueOutcome.NotFailed => TypedResults.Problem(
                title: "The job has not failed.",
                detail: $"Job {jobId} of run {runId:D} waits, is worked on or is done; only a failed one of a run that has ended can be requeued.",
                statusCode: StatusCodes.Status409Conflict
            ),
            _ => TypedResults.Problem(
                title: "There is no such job.",
                detail: $"No job of run {runId:D} has the id {jobId}; GET /api/v1/runs/{runId:D}/jobs lists them.",
                statusCode: StatusCodes.Status404NotFound
            ),
        };

    private static ProblemHttpResult Unknown(Guid runId) =>
        TypedResults.Problem(
            title: "There is no such run.",
            detail: $"No run has the id {runId:D}.",
            statusCode: StatusCodes.Status404NotFound
        );

    /// <summary>Some of the jobs.</summary>
    /// <param name="Items">The jobs, in the order in which they were planned.</param>
    /// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
    internal sealed record JobPage(IReadOnlyList<JobDetail> Items, long? Next);

    /// <summary>A job.</summary>
    internal sealed record JobDetail
    {
        /// <summary>Identity.</summary>
        public required long Id { get; init; }

        /// <summary>What is done.</summary>
        public required string Kind { get; init; }

        /// <summary>What it is done for.</summary>
        public required string Scope { get; init; }

        /// <summary>Whether other runs may need it, too.</summary>
        public required bool IsShared { get; init; }

        /// <summary>Which slice, range or shard.</summary>
        public required int Step { get; init; }

        /// <summary>Where it is.</summary>
        public required JobState State { get; init; }

        /// <summary>When it was planned (UTC).</summary>
        public required DateTime CreatedAt { get; init; }

        /// <summary>When its message was last sent (UTC).</summary>
        public DateTime? DispatchedAt { get; init; }

        /// <summary>Attempts that count towards its limit: those that neither committed it nor released it.</summary>
        public required int CountedAttempts { get; init; }

        /// <summary>The error of the latest failed attempt, or what it waits for while it is blocked.</summary>
        public string? LastError { get; init; }

        /// <summary>All attempts, the first first.</summary>
        public required IReadOnlyList<AttemptDetail> Attempts { get; init; }

        public static JobDetail Of(Job job, IEnumerable<Attempt> attempts) =>
            new()
            {
                Id = job.Id,
                Kind = job.Kind,
                Scope = job.Scope,
                IsShared = JobKey.RunIdOf(job.Scope) is null,
                Step = job.Step,
                State = job.State,
                CreatedAt = job.CreatedAt,
                DispatchedAt = job.DispatchedAt,
                CountedAttempts = job.Attempts,
                LastError = job.LastError,
                Attempts =
                [
                    .. attempts.Select(attempt => new AttemptDetail(
                        attempt.Worker,
                        attempt.StartedAt,
                        attempt.EndedAt,
                        attempt.Outcome,
                        attempt.Outcome is null && (job.State != JobState.Running || attempt.Token != job.Attempt),
                        attempt.Error,
                        attempt.WaitingFor
                    )),
                ],
            };
    }

    /// <summary>One attempt at a job.</summary>
    /// <param name="Worker">The process that tried, by machine and process id.</param>
    /// <param name="StartedAt">When it began (UTC).</param>
    /// <param name="EndedAt">When it ended (UTC).</param>
    /// <param name="Outcome">How it ended.</param>
    /// <param name="IsLost">Whether its process was killed, or fell silent, before it could say so.</param>
    /// <param name="Error">The error that ended it.</param>
    /// <param name="WaitingFor">The outage that it waits for.</param>
    internal sealed record AttemptDetail(
        string Worker,
        DateTime StartedAt,
        DateTime? EndedAt,
        AttemptOutcome? Outcome,
        bool IsLost,
        string? Error,
        string? WaitingFor
    );
}
