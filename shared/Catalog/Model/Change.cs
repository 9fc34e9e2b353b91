namespace Distributed.Catalog;

/// <summary>
/// One change of something that the API shows. Rows are only ever added, by triggers in the transaction of the change
/// (<see cref="ChangeTriggers"/>), and removed when they are old. Table <c>changes</c>.
/// </summary>
/// <remarks>
/// The order of changes is that of (<see cref="TransactionId"/>, <see cref="Id"/>). Who reads those of transactions that ended before all
/// that are still open misses none and reads none twice: <see cref="ChangeReader"/>.
/// </remarks>
public sealed class Change
{
    /// <summary>Surrogate key, in the order in which changes were made, which is not the order in which they become visible.</summary>
    public long Id { get; init; }

    /// <summary>The id of the transaction in Postgres; 0 in SQLite, which has one writer at a time.</summary>
    public required long TransactionId { get; init; }

    /// <summary>When it was made (UTC, database clock).</summary>
    public required DateTime At { get; init; }

    /// <summary>What changed: <c>run</c>, <c>epoch</c>, <c>model</c> and so on.</summary>
    public required string Kind { get; init; }

    /// <summary>The run (format D); null where it is of none, or of those that need the scope.</summary>
    public string? RunId { get; init; }

    /// <summary>The scope of jobs that it is of; null where it is of none.</summary>
    public string? Scope { get; init; }

    /// <summary>The kind of job of which those that are done in the scope are to be counted; null where none are.</summary>
    public string? Job { get; init; }

    /// <summary>JSON: how what changed stands since.</summary>
    public required string Data { get; init; }
}
