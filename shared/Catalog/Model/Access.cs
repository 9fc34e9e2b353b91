namespace Distributed.Catalog;

/// <summary>What the holder of a key may do.</summary>
public enum ApiRole
{
    /// <summary>Look at everything, change nothing.</summary>
    Reader,

    /// <summary>Look at and change everything that the API offers.</summary>
    Operator,

    /// <summary>Ask for predictions, and nothing else.</summary>
    Predictor,
}

/// <summary>A key to the API. The key itself is not here: only its hash is. Table <c>api_keys</c>.</summary>
public sealed class ApiKey
{
    /// <summary>The public part of the key, by which its row is found.</summary>
    public required string Id { get; init; }

    /// <summary>Whose key it is; at most one valid key has a name.</summary>
    public required string Name { get; init; }

    /// <summary>What its holder may do.</summary>
    public required ApiRole Role { get; init; }

    /// <summary>SHA-256 of the key's secret part, lower-case hexadecimal.</summary>
    public required string SecretSha256 { get; init; }

    /// <summary>When it was created (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>When it was used last (UTC), to the minute.</summary>
    public DateTime? LastUsedAt { get; set; }

    /// <summary>When it was revoked (UTC): it opens nothing since.</summary>
    public DateTime? RevokedAt { get; set; }
}

/// <summary>What a person, or a program for a person, changed.</summary>
public enum AuditAction
{
    /// <summary>A run was submitted.</summary>
    RunSubmitted,

    /// <summary>A run was cancelled.</summary>
    RunCancelled,

    /// <summary>A failed or cancelled run was started again.</summary>
    RunRetried,

    /// <summary>A run was deleted.</summary>
    RunDeleted,

    /// <summary>A run's name, tags or note were changed.</summary>
    RunEdited,

    /// <summary>A view of the list of runs was saved.</summary>
    ViewSaved,

    /// <summary>A saved view was deleted.</summary>
    ViewDeleted,

    /// <summary>The head of a run became a version of a model.</summary>
    ModelRegistered,

    /// <summary>A model was described.</summary>
    ModelDescribed,

    /// <summary>An alias was pointed to a version.</summary>
    ModelPromoted,

    /// <summary>An alias was pointed to the version before.</summary>
    ModelRolledBack,

    /// <summary>An alias was removed.</summary>
    AliasRemoved,

    /// <summary>A version of a model was deleted.</summary>
    ModelVersionDeleted,

    /// <summary>A model was deleted.</summary>
    ModelDeleted,

    /// <summary>A key to the API was created.</summary>
    KeyCreated,

    /// <summary>A key to the API was revoked.</summary>
    KeyRevoked,

    /// <summary>A failed job of a run was requeued, and the run opened again.</summary>
    JobRequeued,

    /// <summary>A dead letter was requeued.</summary>
    DeadLetterRequeued,

    /// <summary>A webhook was added.</summary>
    WebhookCreated,

    /// <summary>A webhook was removed.</summary>
    WebhookDeleted,
}

/// <summary>How somebody came to act.</summary>
public enum AuditActorKind
{
    /// <summary>With a key to the API.</summary>
    Key,

    /// <summary>From this machine: over the loopback address without a key, or by a command.</summary>
    Local,

    /// <summary>By a message on the bus, for which the broker's own users and permissions answer.</summary>
    Message,
}

/// <summary>Who acts.</summary>
/// <param name="Kind">How.</param>
/// <param name="Name">Name of the key, or of the user of this machine's account; the kind where there is none.</param>
public sealed record AuditActor(AuditActorKind Kind, string Name)
{
    /// <summary>A request over the loopback address without a key.</summary>
    public static AuditActor Loopback { get; } = new(AuditActorKind.Local, "loopback");

    /// <summary>A message.</summary>
    public static AuditActor Message { get; } = new(AuditActorKind.Message, "message");

    /// <summary>The account that runs this process, which a person started for one command.</summary>
    public static AuditActor Account { get; } = new(AuditActorKind.Local, Environment.UserName);
}

/// <summary>One change: who, what, when. Rows are only ever added. Table <c>audit_log</c>.</summary>
public sealed class AuditEntry
{
    /// <summary>Identity, in the order of time (version 7).</summary>
    public required Guid Id { get; init; }

    /// <summary>When (UTC).</summary>
    public required DateTime At { get; init; }

    /// <summary>How the actor came to act.</summary>
    public required AuditActorKind ActorKind { get; init; }

    /// <summary>Who acted.</summary>
    public required string Actor { get; init; }

    /// <summary>What was done.</summary>
    public required AuditAction Action { get; init; }

    /// <summary>To what: the run's id, the key's name, or the word model and its name. It may be deleted since.</summary>
    public required string Subject { get; init; }

    /// <summary>What a reader may want to know of it.</summary>
    public string? Detail { get; init; }
}
