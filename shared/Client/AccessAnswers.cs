namespace Distributed.Client;

/// <summary>A key to the API; the key itself is known to its holder alone.</summary>
/// <param name="Id">The public part of the key.</param>
/// <param name="Name">Whose key it is.</param>
/// <param name="Role"><c>reader</c>, <c>operator</c> or <c>predictor</c>.</param>
/// <param name="CreatedAt">When it was created (UTC).</param>
/// <param name="LastUsedAt">When it was used last (UTC), to the minute; null where it never was.</param>
/// <param name="RevokedAt">When it was revoked (UTC); null where it was not.</param>
public sealed record KeySummary(string Id, string Name, string Role, DateTime CreatedAt, DateTime? LastUsedAt, DateTime? RevokedAt);

/// <summary>An address that is told what happens.</summary>
/// <param name="Id">Identity.</param>
/// <param name="Url">Its address.</param>
/// <param name="Events">What it is told: <c>completed</c>, <c>failed</c>, <c>promoted</c>.</param>
/// <param name="CreatedAt">When it was added (UTC).</param>
/// <param name="CreatedBy">Who added it.</param>
/// <param name="Pending">Deliveries that are still to be accepted.</param>
/// <param name="Delivered">Deliveries of the last 7 days that were accepted.</param>
/// <param name="Dead">Deliveries of the last 7 days that were not accepted for a day.</param>
/// <param name="Last">The delivery that was tried last; null before the first.</param>
public sealed record WebhookSummary(
    Guid Id,
    string Url,
    IReadOnlyList<string> Events,
    DateTime CreatedAt,
    string CreatedBy,
    int Pending,
    int Delivered,
    int Dead,
    WebhookDelivery? Last
);

/// <summary>A webhook that was added.</summary>
/// <param name="Id">Identity.</param>
/// <param name="Url">Its address.</param>
/// <param name="Secret">The key of its signatures, which no other answer has.</param>
public sealed record CreatedWebhook(Guid Id, string Url, string Secret);

/// <summary>Something that a webhook is told.</summary>
/// <param name="Event">What it tells.</param>
/// <param name="State"><c>pending</c>, <c>delivered</c> or <c>dead</c>.</param>
/// <param name="Attempts">Attempts so far.</param>
/// <param name="TriedAt">When it was tried last (UTC).</param>
/// <param name="NextAt">When it is tried next (UTC); null where it is not.</param>
/// <param name="Status">The HTTP status of the last answer; null where there was none.</param>
/// <param name="Answer">The beginning of the last answer, or why there was none.</param>
public sealed record WebhookDelivery(
    string Event,
    string State,
    int Attempts,
    DateTime? TriedAt,
    DateTime? NextAt,
    int? Status,
    string? Answer
);
