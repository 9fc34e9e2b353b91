namespace Distributed.Client;

/// <content>What the system does: workers and queues.</content>
public sealed partial class DistributedClient
{
    /// <summary>The processes of the system.</summary>
    public async Task<IReadOnlyList<WorkerSummary>> GetWorkersAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync<WholeList<WorkerSummary>>("workers", cancellationToken)).Items;

    /// <summary>The kinds of job in their order, and what waits for whom.</summary>
    public async Task<IReadOnlyList<QueueSummary>> GetQueuesAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync<WholeList<QueueSummary>>("queues", cancellationToken)).Items;

    /// <summary>A page of the jobs that a run needs, shared ones included, in the order in which they were planned.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="state">Only those in this <see cref="JobDetail.State"/>.</param>
    /// <param name="after">The previous page's <see cref="Page{T, TNext}.Next"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<JobDetail, long?>> GetJobsAsync(
        Guid runId,
        string? state = null,
        long? after = null,
        CancellationToken cancellationToken = default
    ) => GetAsync<Page<JobDetail, long?>>($"runs/{runId:D}/jobs" + Query(("state", state), ("after", after)), cancellationToken);

    /// <summary>A page of what was given up, the latest first.</summary>
    /// <param name="open">Whether to leave out what was requeued.</param>
    /// <param name="after">The previous page's <see cref="Page{T, TNext}.Next"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<Page<DeadLetterSummary, Guid?>> GetDeadLettersAsync(
        bool open = false,
        Guid? after = null,
        CancellationToken cancellationToken = default
    ) =>
        GetAsync<Page<DeadLetterSummary, Guid?>>(
            "dead-letters" + Query(("open", open ? "true" : null), ("after", after)),
            cancellationToken
        );

    /// <summary>Requeues what was given up: the runs that failed for it are opened again.</summary>
    public async Task RequeueAsync(Guid deadLetter, CancellationToken cancellationToken = default)
    {
        using var _ = await SendAsync(HttpMethod.Post, $"dead-letters/{deadLetter:D}/requeue", content: null, cancellationToken);
    }
}
