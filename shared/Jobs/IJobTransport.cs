using Distributed.Contracts;

namespace Distributed.Jobs;

/// <summary>How a job's message came.</summary>
/// <param name="Priority">Which of the stage's queues it came from.</param>
/// <param name="IsRedelivered">Whether it was delivered before, to a worker that is gone then.</param>
/// <param name="SentAt">When it was sent (UTC), if known.</param>
public sealed record JobDelivery(RunPriority Priority, bool IsRedelivered, DateTime? SentAt);

/// <summary>
/// Carries the messages of jobs to workers. What it delivers it hands to <see cref="JobWorker.ProcessAsync"/>, and it acknowledges the
/// message when that returns; a message whose handling throws or is cut off is delivered again.
/// </summary>
public interface IJobTransport
{
    /// <summary>Completes when a message that is sent is also kept.</summary>
    Task Ready { get; }

    /// <summary>Sends a message; completes when it is kept.</summary>
    /// <param name="stage">The stage of the job.</param>
    /// <param name="message">The message.</param>
    /// <param name="priority">Which of the stage's queues it goes to.</param>
    /// <param name="cancellationToken">Stops waiting for the broker; the message may be sent all the same.</param>
    Task SendAsync(JobStage stage, IJobMessage message, RunPriority priority, CancellationToken cancellationToken);
}

/// <summary>The statistics of a queue.</summary>
/// <param name="Ready">Messages that are ready for delivery.</param>
/// <param name="Consumers">Consumers that the broker knows, those of all hosts together.</param>
public sealed record QueueStatistics(long Ready, long Consumers);

/// <summary>Reads the statistics of queues.</summary>
public interface IQueueInspector
{
    /// <summary>Reads those of some queues; one that does not exist has neither messages nor consumers.</summary>
    /// <returns>The statistics of each of them, by its name.</returns>
    Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    );
}
