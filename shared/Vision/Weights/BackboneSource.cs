using System.Globalization;
using Distributed.Networks;
using Distributed.Vision.Engines;

namespace Distributed.Vision.Weights;

/// <summary>Finds the weights that a run names.</summary>
public static class BackboneSource
{
    /// <summary>The weights that are delivered with the program: DenseNet-121, CIFAR-10.</summary>
    public const string Demo = "demo";

    /// <summary>Weights drawn at random, the lower bound of every comparison; <c>random:7</c> draws with seed 7.</summary>
    public const string Random = "random";

    /// <summary>Where the demo weights lie.</summary>
    public static string DemoPath => Path.Combine(AppContext.BaseDirectory, "Backbones", "densenet121-cifar10-fp16.safetensors");

    /// <summary>Loads a backbone in float32 on the CPU.</summary>
    /// <param name="source"><see cref="Demo"/>, <see cref="Random"/>, <c>random:SEED</c>, or the path of a .safetensors or .pth file.</param>
    /// <param name="architecture">What the weights have to be; where null, what the file is, or DenseNet-121 for random weights.</param>
    /// <param name="title">What <see cref="IBackbone.Origin"/> calls the weights of a file; where null, the file's name.</param>
    /// <exception cref="WeightsException">There is no such file, or it does not hold these weights.</exception>
    public static IBackbone Load(string source, NetworkArchitecture? architecture = null, string? title = null)
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
                $"There is no weight file '{path}'. Give '{Demo}', '{Random}', or the path of a .safetensors or .pth file."
            );
        }

        return new PlainBackbone(
            BackboneWeights.Load(path, title ?? (source == Demo ? "demo weights" : $"weights of {Path.GetFileName(path)}"), architecture)
        );
    }

    private static int ParseSeed(string source) =>
        int.TryParse(source.AsSpan(Random.Length + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new WeightsException($"'{source}' names no seed: write '{Random}:7', for example.");
}
