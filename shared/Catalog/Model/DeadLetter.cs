namespace Distributed.Catalog;

/// <summary>What was given up: a job without attempts left, or a message that names neither job nor run. Table <c>dead_letters</c>.</summary>
public sealed class DeadLetter
{
    /// <summary>Identity, in the order of time (version 7).</summary>
    public required Guid Id { get; init; }

    /// <summary>When it was given up (UTC).</summary>
    public required DateTime At { get; init; }

    /// <summary>Why, in words.</summary>
    public required string Reason { get; init; }

    /// <summary>The queue that the message was sent to; null for a job.</summary>
    public string? Queue { get; init; }

    /// <summary>The job's kind; null for a message that names none.</summary>
    public string? JobKind { get; init; }

    /// <summary>The job's scope.</summary>
    public string? JobScope { get; init; }

    /// <summary>The job's step.</summary>
    public int? JobStep { get; init; }

    /// <summary>The body of the message; null for a job, whose message can be made again.</summary>
    public byte[]? Body { get; init; }

    /// <summary>What the body is, as its sender said; null where it said nothing.</summary>
    public string? ContentType { get; init; }

    /// <summary>When it was requeued (UTC); null where it was not.</summary>
    public DateTime? RequeuedAt { get; set; }

    /// <summary>Who requeued it.</summary>
    public string? RequeuedBy { get; set; }
}
