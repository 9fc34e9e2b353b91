using Distributed.Contracts;
using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>A data set: images, labels, class names and given splits, known by the hash over them. Table <c>datasets</c>.</summary>
public sealed class Dataset
{
    /// <summary>SHA-256 over its images, labels, class names and given splits.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Name for people, of the source in which it was found first. A run's own is in <see cref="Ingestion.Summary"/>.</summary>
    public required string Name { get; init; }

    /// <summary>The source in which it was found first.</summary>
    public required string Source { get; init; }

    /// <summary>Number of images.</summary>
    public required int ImageCount { get; init; }

    /// <summary>Class names in label order.</summary>
    public required IReadOnlyList<string> ClassNames { get; init; }

    /// <summary>The manifest.</summary>
    public required StoredFile Manifest { get; init; }

    /// <summary>When it became known (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>
/// The packing of one source at one size, known by path, sizes and time stamps of its files: the second run on an
/// unchanged source needs only this row. Table <c>ingestions</c>.
/// </summary>
public sealed class Ingestion
{
    /// <summary>SHA-256 over the source's fingerprint and what becomes of its images.</summary>
    public required string Key { get; init; }

    /// <summary>The folder that is read.</summary>
    public required string Source { get; init; }

    /// <summary>Side in pixels.</summary>
    public required int SquareSize { get; init; }

    /// <summary>How images become squares.</summary>
    public required FitMode Fit { get; init; }

    /// <summary>Share of the shorter side that stays where a middle is cut out.</summary>
    public required double CropShare { get; init; }

    /// <summary>How images are resampled.</summary>
    public required ResampleFilter Resampling { get; init; }

    /// <summary>How JPEGs are decoded that are several times as large.</summary>
    public required JpegDecoding Decoding { get; init; }

    /// <summary>What the source holds.</summary>
    public required StoredFile FileIndex { get; init; }

    /// <summary>Images listed.</summary>
    public required int EntryCount { get; init; }

    /// <summary>Images a part, the last one excepted.</summary>
    public required int PartSize { get; init; }

    /// <summary>Number of parts, one <see cref="PackImages"/> job each.</summary>
    public required int PartCount { get; init; }

    /// <summary>The data set found, when complete.</summary>
    public string? DatasetSha256 { get; set; }

    /// <summary>Files that were seen and cannot be used, when complete.</summary>
    public int? SkippedCount { get; set; }

    /// <summary>What was found, when complete; null in rows of earlier versions.</summary>
    public IngestionSummary? Summary { get; set; }

    /// <summary>When it was begun (UTC).</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>When it was complete (UTC).</summary>
    public DateTime? CompletedAt { get; set; }
}

/// <summary>A range of packed images. Table <c>packed_parts</c>.</summary>
public sealed class PackedPartRecord
{
    /// <summary>The ingestion.</summary>
    public required string IngestionKey { get; init; }

    /// <summary>The range.</summary>
    public required int Part { get; init; }

    /// <summary>Images in the file (skipped ones have none).</summary>
    public required int ImageCount { get; init; }

    /// <summary>Pixels, uint8 NHWC.</summary>
    public required StoredFile Pixels { get; init; }

    /// <summary>What became of each listed image, skipped ones with the reason.</summary>
    public required StoredFile Records { get; init; }
}

/// <summary>A file fetched from its URL onto the volume in slices. Table <c>downloads</c>.</summary>
public sealed class Download
{
    /// <summary>SHA-256 over URL and expected hash.</summary>
    public required string Key { get; init; }

    /// <summary>Where it comes from.</summary>
    public required string Url { get; init; }

    /// <summary>Where it goes, below the volume's root.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes on the volume so far.</summary>
    public long BytesDone { get; set; }

    /// <summary>Bytes in all, once known.</summary>
    public long? BytesTotal { get; set; }

    /// <summary>When it was complete and verified (UTC).</summary>
    public DateTime? CompletedAt { get; set; }
}
