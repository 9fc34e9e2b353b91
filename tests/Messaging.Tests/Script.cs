using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;

namespace Distributed.Messaging.Tests;

/// <summary>What the test's consumers do, and what they were asked to do.</summary>
internal sealed class Script
{
    public static JobWrite Write(Func<CatalogContext, CancellationToken, Task> write) => JobWrite.To(write);

    /// <summary>The work of a job; <see cref="JobWrite.Nothing"/> when not said.</summary>
    public Func<JobLease, CancellationToken, Task<JobWrite>> Execute { get; set; } = (_, _) => Task.FromResult(JobWrite.Nothing);

    /// <summary>What follows; the job's own scope when not said.</summary>
    public Func<JobKey, Task<IReadOnlyList<string>>> FollowUp { get; set; } = job => Task.FromResult<IReadOnlyList<string>>([job.Scope]);

    /// <summary>How long work is given when the host stops.</summary>
    public TimeSpan Grace { get; set; }

    public ConcurrentQueue<JobLease> Executions { get; } = [];

    public ConcurrentQueue<JobKey> FollowUps { get; } = [];

    public Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken)
    {
        Executions.Enqueue(lease);
        return Execute(lease, cancellationToken);
    }

    public Task<IReadOnlyList<string>> FollowUpAsync(JobKey job)
    {
        FollowUps.Enqueue(job);
        return FollowUp(job);
    }
}

internal sealed class ScriptedTraining(Script script) : IJobHandler<TrainHead>
{
    public TimeSpan Grace => script.Grace;

    public Task<JobWrite> ExecuteAsync(TrainHead job, JobLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);
}

internal sealed class ScriptedExtraction(Script script) : IJobHandler<ExtractFeatures>
{
    public Task<JobWrite> ExecuteAsync(ExtractFeatures job, JobLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);
}

/// <summary>What follows from a job is what the script says; the rest is as in the product.</summary>
internal sealed class ScriptedFlow(IJobFlow flow, Script script) : IJobFlow
{
    public Task Ready => flow.Ready;

    public async Task<IReadOnlyList<string>> ScheduleNextAsync(JobKey job, CancellationToken cancellationToken) =>
        [.. await script.FollowUpAsync(job), .. await flow.UnblockAsync(cancellationToken)];

    public Task<IReadOnlyList<string>> UnblockAsync(CancellationToken cancellationToken) => flow.UnblockAsync(cancellationToken);

    public Task<IReadOnlyList<string>> ReconcileAsync(CancellationToken cancellationToken) => flow.ReconcileAsync(cancellationToken);
}
