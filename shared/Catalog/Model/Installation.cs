namespace Distributed.Catalog;

/// <summary>Which volume holds the files that this catalog names. One row, or none before a volume was begun. Table <c>installation</c>.</summary>
public sealed class Installation
{
    /// <summary>The key of the one row: the database refuses another.</summary>
    public const int TheOne = 1;

    /// <summary>Always <see cref="TheOne"/>.</summary>
    public int Id { get; init; } = TheOne;

    /// <summary>The id in the volume's marker.</summary>
    public required Guid VolumeId { get; set; }

    /// <summary>When the volume was begun, or taken over (UTC).</summary>
    public required DateTime CreatedAt { get; set; }
}
