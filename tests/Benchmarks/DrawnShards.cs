using System.Globalization;
using Distributed.Vision.Features;
using static TorchSharp.torch;

namespace Distributed.Benchmarks;

/// <summary>Features of images that were never there, in files as extraction leaves them: the same ones for the same number of images.</summary>
internal static class DrawnShards
{
    /// <summary>Features an image.</summary>
    public const int Size = 1024;

    /// <summary>Classes, which the features tell apart to some degree.</summary>
    public const int Classes = 10;

    private const int Factors = 64,
        ShardImages = 4096;

    /// <summary>Writes them.</summary>
    public static async Task WriteAsync(string folder, int images, CancellationToken cancellationToken)
    {
        for (var first = 0; first < images; first += ShardImages)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{first:D9}.safetensors");
            await using var file = File.Create(Path.Combine(folder, name));
            await FeatureShardFile.WriteAsync(file, Draw(first, Math.Min(ShardImages, images - first)), cancellationToken);
        }
    }

    /// <summary>Opens what was written.</summary>
    public static FeatureShards Open(string folder) => FeatureShards.Open([.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)]);

    /// <summary>Class of an image.</summary>
    public static int ClassOf(int image) => (int)((uint)image * 2_654_435_761u >> 16) % Classes;

    /// <summary>What features take as they are.</summary>
    public static Measurement Bytes(int images) =>
        new($"{images:N0} x {Size:N0} features as float32", [(double)images * Size * sizeof(float) / (1 << 20)]);

    /// <summary>A few factors that differ between the classes, seen through random weights and a rectifier, with noise.</summary>
    private static FeatureMatrix Draw(int first, int count)
    {
        using var scope = NewDisposeScope();
        using var common = new Generator(7);
        using var own = new Generator((ulong)first + 8);
        var centres = randn(Classes, Factors, generator: common);
        var weights = randn(Factors, Size, generator: common) / Math.Sqrt(Factors);
        var labels = tensor(Array.ConvertAll([.. Enumerable.Range(first, count)], image => (long)ClassOf(image)));
        var factors = centres.index_select(0, labels) + (2 * randn(count, Factors, generator: own));
        var features = nn.functional.relu(factors.mm(weights) + (0.3 * randn(count, Size, generator: own)));
        return new FeatureMatrix(features.data<float>().ToArray(), count, Size);
    }
}
