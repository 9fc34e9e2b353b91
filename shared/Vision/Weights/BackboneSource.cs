using System.Globalization;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;

namespace Distributed.Vision.Weights;

/// <summary>Finds the weights that a run names.</summary>
public static class BackboneSource
{
    /// <summary>The weights that are delivered with the program: DenseNet-121, CIFAR-10.</summary>
    public const string Demo = PretrainedBases.Demo;

    /// <summary>Weights drawn at random, the lower bound of every comparison; <c>random:7</c> draws with seed 7.</summary>
    public const string Random = PretrainedBases.Random;

    /// <summary>Where the demo weights lie.</summary>
    public static string DemoPath => ShippedPath(PretrainedBases.Find(Demo)!)!;

    /// <summary>Where the file of a base lies that is delivered with the program; null for one that is not.</summary>
    public static string? ShippedPath(PretrainedBase known)
    {
        ArgumentNullException.ThrowIfNull(known);
        return known.ShippedFile is { } file ? Path.Combine(AppContext.BaseDirectory, "Backbones", file) : null;
    }

    /// <summary>Loads a backbone in float32 on the CPU.</summary>
    /// <param name="source"><see cref="Demo"/>, <see cref="Random"/>, <c>random:SEED</c>, or the path of a .safetensors, .pth or .onnx file.</param>
    /// <param name="architecture">What the weights have to be; where null, what the file is, or DenseNet-121 for random weights.</param>
    /// <param name="title">What <see cref="IBackbone.Origin"/> calls the weights of a file; where null, the file's name.</param>
    /// <param name="onnx">How an ONNX file is used; where null, as a file beside it says, else with ImageNet's normalisation.</param>
    /// <param name="onnxOutput">Where nothing else is said of an ONNX file, which numbers the features are; see <see cref="OnnxSettings.Output"/>.</param>
    /// <exception cref="WeightsException">There is no such file, or it does not hold these weights.</exception>
    public static IBackbone Load(
        string source,
        NetworkArchitecture? architecture = null,
        string? title = null,
        OnnxSettings? onnx = null,
        string? onnxOutput = null
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(source);
        if (source == Random || source.StartsWith(Random + ":", StringComparison.Ordinal))
        {
            var seed = source == Random ? 0 : ParseSeed(source);
            return new PlainBackbone(BackboneWeights.Random(architecture ?? DenseNet.DenseNet121, seed));
        }

        var path = source == Demo ? DemoPath : source;
        if (!File.Exists(path))
        {
            throw new WeightsException(
                $"There is no weight file '{path}'. Give '{Demo}' or another base's name, '{Random}', or the path of a .safetensors, .pth or .onnx file."
            );
        }

        if (OnnxFile.Is(path))
        {
            return LoadOnnx(path, title ?? Path.GetFileName(path), onnx, onnxOutput);
        }

        return new PlainBackbone(
            BackboneWeights.Load(path, title ?? (source == Demo ? "demo weights" : $"weights of {Path.GetFileName(path)}"), architecture)
        );
    }

    /// <summary>A file of weights with all that belongs to it: with the tensors that an ONNX file keeps beside it.</summary>
    /// <exception cref="WeightsException">A file that belongs to it is missing.</exception>
    public static Stream OpenWhole(string path) =>
        OnnxFile.Is(path) ? new MemoryStream(OnnxFile.Open(path).Content, writable: false) : File.OpenRead(path);

    private static IBackbone LoadOnnx(string path, string title, OnnxSettings? settings, string? output)
    {
        if (settings is not null)
        {
            return OnnxLoader.Load(OnnxFile.Open(path), settings, title);
        }

        var beside = OnnxPreprocessing.FindBeside(path);
        return OnnxLoader.Load(
            OnnxFile.Open(path),
            OnnxSettings.Of(beside?.Preprocessing ?? Preprocessing.Imagenet, output),
            beside is null
                ? $"{title}, with ImageNet's normalisation since no file beside it says another"
                : $"{title}, normalised as {beside.Value.File} says{(beside.Value.Advice is { } advice ? $", which expects images by {advice}" : "")}"
        );
    }

    private static int ParseSeed(string source) =>
        int.TryParse(source.AsSpan(Random.Length + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new WeightsException($"'{source}' names no seed: write '{Random}:7', for example.");
}
