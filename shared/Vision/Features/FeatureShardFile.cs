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
    /// <exception cref="WeightsException">The file holds no features.</exception>
    public static FeatureMatrix Read(string path) => Read([path]);

    /// <summary>Reads files into one matrix, their rows one after another.</summary>
    /// <param name="paths">At least one; all of the same feature dimension.</param>
    /// <exception cref="WeightsException">A file holds no features, or the sizes differ.</exception>
    public static FeatureMatrix Read(IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var files = new List<SafetensorsFile>(paths.Count);
        try
        {
            var count = 0L;
            var size = 0L;
            foreach (var path in paths)
            {
                var file = SafetensorsFile.Open(path);
                files.Add(file);
                var shape = ShapeOf(file);
                if (files.Count > 1 && shape[1] != size)
                {
                    throw new WeightsException(
                        $"{file.Source} has the feature dimension {shape[1]}, where the files before it have {size}."
                    );
                }

                count += shape[0];
                size = shape[1];
            }

            if (count * size > Array.MaxLength)
            {
                throw new WeightsException(
                    $"{count} images of {size} features do not fit in one array; at most {Array.MaxLength} numbers do."
                );
            }

            var values = new float[count * size];
            var filled = 0;
            foreach (var file in files)
            {
                var length = (int)(file.Tensors[TensorName].Length / sizeof(float));
                file.ReadBytes(TensorName, MemoryMarshal.AsBytes(values.AsSpan(filled, length)));
                filled += length;
            }

            return new FeatureMatrix(values, (int)count, (int)size);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    private static long[] ShapeOf(SafetensorsFile file) =>
        file.Tensors.TryGetValue(TensorName, out var entry) && entry is { Type: torch.ScalarType.Float32, Shape: [_, > 0] }
            ? entry.Shape
            : throw new WeightsException($"{file.Source} holds no features: it needs a tensor '{TensorName}' of F32 [images, numbers].");
}
