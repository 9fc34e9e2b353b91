using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>The images of a feature set in two dimensions, for people to look at; it follows from the features. Table <c>feature_maps</c>.</summary>
public sealed class FeatureMapRecord
{
    /// <summary>The features.</summary>
    public required string FeatureSetKey { get; init; }

    /// <summary>Version of what made it.</summary>
    public required string Version { get; init; }

    /// <summary>Points: as many as there are images, or of very many some that are spread evenly.</summary>
    public required int Points { get; init; }

    /// <summary>Two coordinates a point: float32, little-endian.</summary>
    public required StoredFile File { get; init; }

    /// <summary>Seconds of computing.</summary>
    public required double Seconds { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}
