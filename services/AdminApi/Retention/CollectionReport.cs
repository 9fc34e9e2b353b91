namespace Distributed.AdminApi.Retention;

/// <summary>Something that is removed from the volume, or would be.</summary>
/// <param name="Kind">checkpoint, features, images or orphan.</param>
/// <param name="Name">A file below the volume's root, or the key of a feature set or ingestion.</param>
/// <param name="Reason">Why it may go.</param>
/// <param name="Bytes">What that frees.</param>
public sealed record CollectedItem(string Kind, string Name, string Reason, long Bytes);

/// <summary>What a collection removed, or would remove.</summary>
/// <param name="DryRun">Whether nothing was removed.</param>
/// <param name="Bytes">What it frees in all.</param>
/// <param name="Refused">Why orphans were left, where they were; see the operations manual.</param>
/// <param name="Items">One by one.</param>
public sealed record CollectionReport(bool DryRun, long Bytes, string? Refused, IReadOnlyList<CollectedItem> Items);
