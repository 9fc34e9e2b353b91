using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>What waits for whom.</summary>
internal static class QueueEndpoints
{
    public static void MapQueues(this IEndpointRouteBuilder api) =>
        api.MapRead("/queues", ListAsync)
            .WithTags("Workers")
            .WithSummary("The kinds of job in their order: how many wait, are worked on or blocked, for how long, and who takes them")
            .WithDescription(
                $"Jobs that open runs need, from the catalog; more than {CatalogFigures.MostCounted} of a state are counted as so many. Messages and consumers are the broker's, of the kind's queues together, and null while it does not answer; in one process, which has no broker, a kind has one consumer and messages are null."
            );

    private static async Task<Ok<QueueList>> ListAsync(
        IDbContextFactory<CatalogContext> contexts,
        JobStages stages,
        CancellationToken cancellationToken,
        [FromServices] WorkerPresence? presence = null
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = new Dictionary<(string Kind, JobState State), (int Count, DateTime Oldest)>();
        foreach (var state in (JobState[])[JobState.Pending, JobState.Running, JobState.Blocked])
        {
            var kinds = await context
                .Jobs.AsNoTracking()
                .Where(job => job.State == state)
                .NeededByOpenRuns(context)
                .OrderBy(job => job.State)
                .Take(CatalogFigures.MostCounted)
                .GroupBy(job => job.Kind)
                .Select(kind => new
                {
                    kind.Key,
                    Count = kind.Count(),
                    Oldest = kind.Min(job => job.CreatedAt),
                })
                .ToListAsync(cancellationToken);
            foreach (var kind in kinds)
            {
                found[(kind.Key, state)] = (kind.Count, kind.Oldest);
            }
        }

        return TypedResults.Ok(
            new QueueList([
                .. stages.All.Select(stage => new QueueDetail(
                    stage.Kind,
                    stage.Service,
                    Count(stage, JobState.Pending),
                    Count(stage, JobState.Running),
                    Count(stage, JobState.Blocked),
                    found.TryGetValue((stage.Kind, JobState.Pending), out var waiting) ? waiting.Oldest : null,
                    presence is null ? null : Sum(stage, presence, queue => queue.Ready),
                    presence is null ? 1 : Sum(stage, presence, queue => queue.Consumers)
                )),
            ])
        );

        int Count(JobStage stage, JobState state) => found.TryGetValue((stage.Kind, state), out var jobs) ? jobs.Count : 0;
    }

    private static long? Sum(JobStage stage, WorkerPresence presence, Func<QueueStatistics, long> of) =>
        stage.Queues.Select(presence.Find).ToList() is var queues && queues.TrueForAll(queue => queue is not null)
            ? queues.Sum(queue => of(queue!))
            : null;

    /// <summary>The kinds of job.</summary>
    /// <param name="Items">In the order of a run's stages.</param>
    internal sealed record QueueList(IReadOnlyList<QueueDetail> Items);

    /// <summary>A kind of job.</summary>
    /// <param name="Kind">What is done.</param>
    /// <param name="Service">Whose workers do it.</param>
    /// <param name="Waiting">Jobs that no worker has claimed.</param>
    /// <param name="Running">Jobs that are worked on.</param>
    /// <param name="Blocked">Jobs that wait for a damaged file to be made again.</param>
    /// <param name="OldestWaitingSince">When the oldest that waits was planned (UTC); null where none waits.</param>
    /// <param name="Messages">Messages that are ready for delivery.</param>
    /// <param name="Consumers">Workers that are connected to its queues; a worker consumes both the interactive and the bulk one.</param>
    internal sealed record QueueDetail(
        string Kind,
        string Service,
        int Waiting,
        int Running,
        int Blocked,
        DateTime? OldestWaitingSince,
        long? Messages,
        long? Consumers
    );
}
