using System.Runtime.InteropServices;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Features;

/// <summary>
/// A file of features: safetensors with one float32 tensor <c>features</c> [n, d] and nothing else, so that the same
/// features make the same bytes.
/// </summary>
public static class FeatureShardFile
{
    /// <summary>Name of the tensor.</summary>
    public const string TensorName = "features";

    /// <summary>Writes features to a stream.</summary>
    /// <param name="stream">Where to; it is not closed.</param>
    /// <param name="features">At most 2 GiB.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    public static Task WriteAsync(Stream stream, FeatureMatrix features, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(features);
        var tensor = TensorData.FromValues(features.Values, features.Count, features.Size);
        return SafetensorsWriter.WriteAsync(
            stream,
            new Dictionary<string, TensorData> { [TensorName] = tensor },
            cancellationToken: cancellationToken
        );
    }

    /// <summary>Reads one file.</summary>
    /// <exception cref="WeightsException">The file holds no features, or more than fit in one array.</exception>
    public static FeatureMatrix Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        var (count, size) = (ShapeOf(file)[0], ShapeOf(file)[1]);
        if (count * size > Array.MaxLength / sizeof(float))
        {
            throw new WeightsException($"The {count} images of {size} features of {file.Source} are more than 2 GiB.");
        }

        var values = new float[count * size];
        file.ReadBytes(TensorName, MemoryMarshal.AsBytes(values.AsSpan()));
        return new FeatureMatrix(values, (int)count, (int)size);
    }

    /// <summary>How many images and features a file holds.</summary>
    /// <exception cref="WeightsException">It holds no features.</exception>
    internal static long[] ShapeOf(SafetensorsFile file) =>
        file.Tensors.TryGetValue(TensorName, out var entry) && entry is { Type: torch.ScalarType.Float32, Shape: [_, > 0] }
            ? entry.Shape
            : throw new WeightsException($"{file.Source} holds no features: it needs a tensor '{TensorName}' of F32 [images, numbers].");
}
