using System.ComponentModel.DataAnnotations;

namespace Distributed.Jobs;

/// <summary>How long an attempt holds a job, and how often it is attempted.</summary>
public sealed class JobOptions : IValidatableObject
{
    /// <summary>An attempt that has sent no heartbeat for this long may be replaced. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the holder extends its lease, and learns that its run is over where the event was lost. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Attempts without progress after which a job fails. Default 5.</summary>
    [Range(1, 1000)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>
    /// Most jobs of one scope that wait in a queue, so that no run starves the others; where more workers than that work on the
    /// scope, as many as they are. Messages are sent when half of them are gone. Default 16.
    /// </summary>
    [Range(1, 100_000)]
    public int Queued { get; set; } = 16;

    /// <summary>How long a bulk job waits in a worker for interactive ones to be done, before another worker may have it. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan BulkTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Heartbeat >= Lease)
        {
            yield return new ValidationResult($"is {Heartbeat}; it must be shorter than the lease, which is {Lease}", [nameof(Heartbeat)]);
        }
    }
}
