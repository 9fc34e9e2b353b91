using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Endpoints;

/// <summary>The processes of the system.</summary>
internal static class WorkerEndpoints
{
    public static void MapWorkers(this IEndpointRouteBuilder api) =>
        api.MapRead("/workers", ListAsync)
            .WithTags("Workers")
            .WithSummary("The processes of the system: where each runs, what it does, how busy it is")
            .WithDescription(
                "A process reports itself every 5 s. One that has not done so for 15 s is lost: it was killed, or cannot reach the database; after an hour it is forgotten. One that ends in order leaves the list at once."
            );

    private static async Task<Ok<WorkerList>> ListAsync(IDbContextFactory<CatalogContext> contexts, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var workers = await context
            .Workers.AsNoTracking()
            .OrderBy(worker => worker.Service)
            .ThenBy(worker => worker.Name)
            .ToListAsync(cancellationToken);
        var demands = context.OpenDemands;
        var held = await context
            .Jobs.Where(job => job.State == JobState.Running)
            .Join(
                context.Attempts,
                job => job.Attempt,
                attempt => attempt.Token,
                (job, attempt) =>
                    new
                    {
                        attempt.Worker,
                        job.Id,
                        job.Kind,
                        job.Scope,
                        job.Step,
                        attempt.StartedAt,
                        attempt.WaitingFor,
                        Sharer = demands
                            .Where(demand => demand.Scope == job.Scope)
                            .OrderBy(demand => demand.SubmittedAt)
                            .Select(demand => (Guid?)demand.RunId)
                            .FirstOrDefault(),
                    }
            )
            .ToListAsync(cancellationToken);
        var byWorker = held.OrderBy(job => job.StartedAt).ToLookup(job => job.Worker, StringComparer.Ordinal);
        return TypedResults.Ok(
            new WorkerList([
                .. workers.Select(worker => new WorkerDetail
                {
                    Name = worker.Name,
                    Machine = worker.Machine,
                    Service = worker.Service,
                    Version = worker.Version,
                    State = worker.State,
                    StartedAt = worker.StartedAt,
                    SeenAt = worker.SeenAt,
                    Device = worker.Device,
                    Processors = worker.Processors,
                    ProcessorShare = worker.ProcessorShare,
                    MemoryBytes = worker.MemoryBytes,
                    MemoryLimitBytes = worker.MemoryLimitBytes,
                    ImagesPerSecond = worker.ImagesPerSecond,
                    Gpu = worker.Gpu is { } gpu
                        ? new GpuDetail(gpu, worker.GpuShare, worker.GpuMemoryBytes, worker.GpuMemoryLimitBytes)
                        : null,
                    Jobs =
                    [
                        .. byWorker[worker.Name]
                            .Select(job => new WorkerJob(
                                job.Id,
                                job.Kind,
                                JobKey.RunIdOf(job.Scope) ?? job.Sharer,
                                job.Scope,
                                job.Step,
                                job.StartedAt,
                                job.WaitingFor
                            )),
                    ],
                }),
            ])
        );
    }

    /// <summary>The processes.</summary>
    /// <param name="Items">By service and name.</param>
    internal sealed record WorkerList(IReadOnlyList<WorkerDetail> Items);

    /// <summary>A process.</summary>
    internal sealed record WorkerDetail
    {
        /// <summary>Machine and process id, as attempts name it.</summary>
        public required string Name { get; init; }

        /// <summary>The machine, or the container.</summary>
        public required string Machine { get; init; }

        /// <summary>The service; standalone is all of them.</summary>
        public required string Service { get; init; }

        /// <summary>The program's version.</summary>
        public required string Version { get; init; }

        /// <summary>Whether it is there.</summary>
        public required WorkerState State { get; init; }

        /// <summary>When it began (UTC).</summary>
        public required DateTime StartedAt { get; init; }

        /// <summary>When it reported last (UTC, database clock).</summary>
        public required DateTime SeenAt { get; init; }

        /// <summary>What it computes on; null where it computes nothing, or has not chosen yet.</summary>
        public string? Device { get; init; }

        /// <summary>Processor cores that it may use.</summary>
        public required int Processors { get; init; }

        /// <summary>The share of them that it uses; 0 to 1.</summary>
        public required double ProcessorShare { get; init; }

        /// <summary>Bytes of memory that it uses.</summary>
        public required long MemoryBytes { get; init; }

        /// <summary>Bytes of memory that it may use.</summary>
        public required long MemoryLimitBytes { get; init; }

        /// <summary>Images a second that it packed or turned into features, over the last half minute.</summary>
        public required double ImagesPerSecond { get; init; }

        /// <summary>Its GPU; null where it uses none.</summary>
        public GpuDetail? Gpu { get; init; }

        /// <summary>The jobs that it works on now.</summary>
        public required IReadOnlyList<WorkerJob> Jobs { get; init; }
    }

    /// <summary>A GPU.</summary>
    /// <param name="Name">Its model.</param>
    /// <param name="Share">The share of the last moments in which it computed; 0 to 1.</param>
    /// <param name="MemoryBytes">Bytes in use, of all processes.</param>
    /// <param name="MemoryLimitBytes">Bytes it has.</param>
    internal sealed record GpuDetail(string Name, double? Share, long? MemoryBytes, long? MemoryLimitBytes);

    /// <summary>A job that is worked on.</summary>
    /// <param name="Id">The job.</param>
    /// <param name="Kind">What is done.</param>
    /// <param name="RunId">The run that it is done for; where several need it, the one that was accepted first.</param>
    /// <param name="Scope">What it is done for.</param>
    /// <param name="Step">Which slice, range or shard.</param>
    /// <param name="Since">When the attempt began (UTC).</param>
    /// <param name="WaitingFor">The outage that it waits for.</param>
    internal sealed record WorkerJob(long Id, string Kind, Guid? RunId, string Scope, int Step, DateTime Since, string? WaitingFor);
}
