namespace Distributed.Catalog;

/// <summary>What a webhook can be told.</summary>
public enum WebhookEvent
{
    /// <summary>A run is complete.</summary>
    Completed,

    /// <summary>A run has failed.</summary>
    Failed,

    /// <summary>An alias of a model points to another version.</summary>
    Promoted,
}

/// <summary>An address that is told what happens. Table <c>webhooks</c>.</summary>
public sealed class Webhook
{
    /// <summary>Identity, in the order of time (version 7).</summary>
    public required Guid Id { get; init; }

    /// <summary>The address (http or https).</summary>
    public required string Url { get; init; }

    /// <summary>What it is told, as names of <see cref="WebhookEvent"/>.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>The key of its signatures, base64. Only AdminApi may read the table.</summary>
    public required string Secret { get; init; }

    /// <summary>When it was added (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>Who added it.</summary>
    public required string CreatedBy { get; init; }
}

/// <summary>Where a delivery is.</summary>
public enum DeliveryState
{
    /// <summary>It is to be sent.</summary>
    Pending,

    /// <summary>The address has accepted it.</summary>
    Delivered,

    /// <summary>The address has not accepted it for a day; it is not sent any more.</summary>
    Dead,
}

/// <summary>Something that a webhook is told. Table <c>webhook_deliveries</c>.</summary>
public sealed class WebhookDelivery
{
    /// <summary>Identity, in the order of time (version 7); the same in every attempt.</summary>
    public required Guid Id { get; init; }

    /// <summary>The webhook.</summary>
    public required Guid WebhookId { get; init; }

    /// <summary>What it tells.</summary>
    public required WebhookEvent Event { get; init; }

    /// <summary>The body, JSON.</summary>
    public required string Body { get; init; }

    /// <summary>When it was planned (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>Where it is.</summary>
    public DeliveryState State { get; set; }

    /// <summary>Attempts so far.</summary>
    public int Attempts { get; set; }

    /// <summary>When it is to be sent next, and until when an attempt holds it (UTC, database clock).</summary>
    public required DateTime NextAt { get; set; }

    /// <summary>When it was tried last (UTC).</summary>
    public DateTime? TriedAt { get; set; }

    /// <summary>The HTTP status of the last answer; null where there was none.</summary>
    public int? Status { get; set; }

    /// <summary>The beginning of the last answer, or why there was none.</summary>
    public string? Answer { get; set; }
}

/// <summary>Up to which change deliveries are planned. One row. Table <c>webhook_cursors</c>.</summary>
public sealed class WebhookCursor
{
    /// <summary>The key of the one row.</summary>
    public const int TheOne = 1;

    /// <summary>Always <see cref="TheOne"/>.</summary>
    public int Id { get; init; } = TheOne;

    /// <summary>The transaction of the last change that was looked at.</summary>
    public required long TransactionId { get; set; }

    /// <summary>That change.</summary>
    public required long ChangeId { get; set; }
}
