using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>
/// What a model's package, a zip file, says of the model in its <see cref="FileName"/>: all that it takes to give an image to the network
/// in
/// <see cref="NetworkName"/> and to read its answer.
/// </summary>
public sealed record ModelDescription
{
    /// <summary>The version of what a package holds.</summary>
    public const string CurrentFormat = "distributed-model/1";

    /// <summary>Name of this description in a package.</summary>
    public const string FileName = "model.json";

    /// <summary>Name of the network in a package: an ONNX model from pixels to probabilities.</summary>
    public const string NetworkName = "model.onnx";

    /// <summary>Name of the head in a package: a safetensors file.</summary>
    public const string HeadName = "head.safetensors";

    /// <summary>Name of the model card in a package.</summary>
    public const string CardName = "README.md";

    /// <summary><see cref="CurrentFormat"/>.</summary>
    public required string Format { get; init; }

    /// <summary>Name of the model.</summary>
    public required string Model { get; init; }

    /// <summary>Number of the version.</summary>
    public required int Version { get; init; }

    /// <summary>Names of the classes, in the order of the probabilities.</summary>
    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Side of the images that the network takes, in pixels.</summary>
    public required int InputSize { get; init; }

    /// <summary>How an image that is no square becomes one.</summary>
    public required FitMode Fit { get; init; }

    /// <summary>How a JPEG is decoded that is several times as large; where a package does not say, in full.</summary>
    public JpegDecoding Decoding { get; init; } = JpegDecoding.Full;

    /// <summary>Share of the shorter side that stays where the middle is cut out; where a package does not say, all of it.</summary>
    public double CropShare { get; init; } = 1;

    /// <summary>How images are resampled.</summary>
    public required ResampleFilter Resampling { get; init; }

    /// <summary>The arithmetic that the head was trained and measured with; the network in the package computes in fp32.</summary>
    public required string Precision { get; init; }

    /// <summary>SHA-256 of <see cref="NetworkName"/>, 64 lower-case hexadecimal digits.</summary>
    public required string NetworkSha256 { get; init; }

    /// <summary>Everything that it takes to repeat the model.</summary>
    public required JsonElement Lineage { get; init; }
}
