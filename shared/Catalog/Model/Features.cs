using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>Frozen weights. Table <c>backbones</c>.</summary>
public sealed class Backbone
{
    /// <summary>SHA-256 of the weight file; of architecture and seed for random weights, of file and settings for an ONNX file.</summary>
    public required string Sha256 { get; init; }

    /// <summary>What the specification called it: the name of a base, random, or a path.</summary>
    public required string Source { get; init; }

    /// <summary>The network.</summary>
    public required string Architecture { get; init; }

    /// <summary>One line for people: which weights these are and where they come from.</summary>
    public required string Origin { get; init; }

    /// <summary>Seed of random weights.</summary>
    public int? Seed { get; init; }

    /// <summary>How an ONNX file is used, as JSON; absent for other weights.</summary>
    public string? Settings { get; init; }

    /// <summary>Of several bases whose features are joined, or several blocks of one, the <see cref="BackboneParts"/> as JSON; absent for weights of their own.</summary>
    public string? Parts { get; init; }

    /// <summary>The weight file on the volume; absent for those that ship with the program or are drawn.</summary>
    public StoredFile? File { get; init; }

    /// <summary>When it became known (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>Bases whose features are joined.</summary>
/// <param name="Sha256">Each one's <see cref="Backbone.Sha256"/>, in the order of their features.</param>
/// <param name="Blocks">How many of the last blocks of each give features, at least 1.</param>
public sealed record BackboneParts(IReadOnlyList<string> Sha256, int Blocks)
{
    /// <summary>What identifies it: 64 lower-case hexadecimal digits.</summary>
    public string Key =>
        Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"joined\n{Blocks}\n{string.Join('\n', Sha256)}")))
        );

    /// <summary>As <see cref="Backbone.Parts"/> has it.</summary>
    public string Write() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    /// <summary>Reads what <see cref="Write"/> made.</summary>
    public static BackboneParts Read(string text) => JsonSerializer.Deserialize<BackboneParts>(text, JsonSerializerOptions.Web)!;
}

/// <summary>What the features of a data set say about its labels and splits, for all runs with the same features and splits. Table <c>dataset_audits</c>.</summary>
public sealed class DatasetAuditRecord
{
    /// <summary>SHA-256 over feature set, splits and the version of the audit.</summary>
    public required string Key { get; init; }

    /// <summary>The features.</summary>
    public required string FeatureSetKey { get; init; }

    /// <summary>All that was found.</summary>
    public required StoredFile File { get; init; }

    /// <summary>Labels that were judged; null where they were not.</summary>
    public required int? JudgedLabels { get; init; }

    /// <summary>Labels less probable than another; null where they were not judged.</summary>
    public required int? DoubtedLabels { get; init; }

    /// <summary>Pairs of near duplicates across the splits; null where none was sought.</summary>
    public required int? NearDuplicates { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>
/// The features of all images of a data set by one backbone: a pure function of what its key hashes. Table <c>feature_sets</c>.
/// </summary>
public sealed class FeatureSet
{
    /// <summary>SHA-256 over data set, backbone, preprocessing, precision and extractor version.</summary>
    public required string Key { get; init; }

    /// <summary>The data set.</summary>
    public required string DatasetSha256 { get; init; }

    /// <summary>The ingestion whose packed images are read.</summary>
    public required string IngestionKey { get; init; }

    /// <summary>The weights.</summary>
    public required string BackboneSha256 { get; init; }

    /// <summary>Size, fit, filter and normalisation, as one text.</summary>
    public required string Preprocessing { get; init; }

    /// <summary>The arithmetic.</summary>
    public required Precision Precision { get; init; }

    /// <summary>Version of the extraction.</summary>
    public required int ExtractorVersion { get; init; }

    /// <summary>Side of what goes through the network, in pixels.</summary>
    public required int InputSize { get; init; }

    /// <summary>Whether the features of mirror images are averaged in.</summary>
    public required bool Flip { get; init; }

    /// <summary>What of an image's square goes through the network.</summary>
    public required ImageCrops Crops { get; init; }

    /// <summary>The views of each image.</summary>
    public FeatureViews Views => new(Flip, Crops);

    /// <summary>Side of the packed squares, in pixels.</summary>
    public int SquareSize => Views.SquareOf(InputSize);

    /// <summary>Images a pass, resolved at planning since it may change bits.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Images in all.</summary>
    public required int ImageCount { get; init; }

    /// <summary>Numbers an image.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Images a shard, the last one excepted.</summary>
    public required int ShardSize { get; init; }

    /// <summary>Number of shards, one <see cref="ExtractFeatures"/> job each.</summary>
    public required int ShardCount { get; init; }

    /// <summary>When it was planned (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>Features of a range of images. Table <c>feature_shards</c>.</summary>
public sealed class FeatureShard
{
    /// <summary>The feature set.</summary>
    public required string FeatureSetKey { get; init; }

    /// <summary>The range.</summary>
    public required int Shard { get; init; }

    /// <summary>Images in it.</summary>
    public required int ImageCount { get; init; }

    /// <summary>The file: safetensors, one float32 tensor [images, feature size].</summary>
    public required StoredFile File { get; init; }

    /// <summary>Seconds of computing.</summary>
    public required double Seconds { get; init; }

    /// <summary>Who computed it.</summary>
    public required string Worker { get; init; }
}
