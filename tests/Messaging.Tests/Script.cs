using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Messaging.Tests;

/// <summary>What the test's consumers do, and what they were asked to do.</summary>
internal sealed class Script
{
    public static readonly JobWrite Nothing = (_, _) => Task.CompletedTask;

    /// <summary>The work of a job; <see cref="Nothing"/> when not said.</summary>
    public Func<JobLease, CancellationToken, Task<JobWrite>> Execute { get; set; } = (_, _) => Task.FromResult(Nothing);

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

internal sealed class ScriptedTraining(JobWorker worker, Script script) : JobConsumer<TrainHead>(worker)
{
    public override TimeSpan Grace => script.Grace;

    public override Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);

    public override Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken) => script.FollowUpAsync(job);
}

internal sealed class ScriptedExtraction(JobWorker worker, Script script) : JobConsumer<ExtractFeatures>(worker)
{
    public override Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken) =>
        script.ExecuteAsync(lease, cancellationToken);

    public override Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken) => script.FollowUpAsync(job);
}
