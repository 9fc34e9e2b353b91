using System.Text.Json.Serialization;

namespace Distributed.Artifacts;

/// <summary>
/// What the features say about a data set itself, whatever head is trained on them: which labels may be wrong, and which test images have a near
/// duplicate among the images that heads learn from. Images are rows of the data set's manifest.
/// </summary>
public sealed record DatasetAudit
{
    /// <summary>Training and validation images by the probability of their own label, the least probable first; empty where they were not judged.</summary>
    public required IReadOnlyList<JudgedLabel> Labels { get; init; }

    /// <summary>Why labels were not judged; null where they were.</summary>
    public string? LabelsNotJudged { get; init; }

    /// <summary>Test images with their near duplicates, the most alike first.</summary>
    public required IReadOnlyList<NearDuplicate> NearDuplicates { get; init; }

    /// <summary>Why near duplicates were not looked for; null where they were.</summary>
    public string? NearDuplicatesNotSought { get; init; }

    /// <summary>The test images that have a near duplicate; null where none was sought.</summary>
    [JsonIgnore]
    public IReadOnlySet<int>? LeakedTestImages =>
        NearDuplicatesNotSought is null ? NearDuplicates.Select(pair => pair.Test).ToHashSet() : null;

    /// <summary>Images of which another class is more probable than their own.</summary>
    [JsonIgnore]
    public int Doubted => Labels.Count(label => label.Suggested != label.Label);
}

/// <summary>A label as a classifier sees it that has learnt from all other training images.</summary>
/// <param name="Image">The image.</param>
/// <param name="Label">Its label.</param>
/// <param name="Own">Probability of that label; 0 to 1.</param>
/// <param name="Suggested">The most probable class.</param>
/// <param name="Probability">Its probability.</param>
public sealed record JudgedLabel(int Image, int Label, float Own, int Suggested, float Probability);

/// <summary>Two images that are versions of one picture.</summary>
/// <param name="Test">The test image.</param>
/// <param name="Training">The training or validation image.</param>
/// <param name="Similarity">Cosine of their standardised features, -1 to 1.</param>
/// <param name="Correlation">Correlation of their pixels, as they are or mirrored, -1 to 1.</param>
public sealed record NearDuplicate(int Test, int Training, float Similarity, float Correlation);
