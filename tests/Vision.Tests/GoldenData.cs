using System.Text.Json;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Tests;

/// <summary>What Golden/make_golden.py wrote, and the inputs that it drew.</summary>
internal static class GoldenData
{
    public static JsonElement Root { get; } = JsonDocument.Parse(File.ReadAllBytes(PathOf("golden.json"))).RootElement;

    /// <summary>What Golden/make_evidence.py wrote.</summary>
    public static JsonElement Evidence { get; } = JsonDocument.Parse(File.ReadAllBytes(PathOf("evidence.json"))).RootElement;

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", name);

    /// <summary>The script's <c>draw</c>.</summary>
    public static double[] Draw(long stream, int count)
    {
        var values = new double[count];
        for (var i = 0; i < count; i++)
        {
            var z = ((ulong)stream << 40) + ((ulong)(i + 1) * 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            values[i] = ((z ^ (z >> 31)) >> 40) / (double)(1 << 24);
        }

        return values;
    }

    /// <summary>The script's <c>images</c>.</summary>
    public static byte[] Images(int count, int size)
    {
        var pixels = Array.ConvertAll(Draw(1, count * size * size * 3), value => (byte)(value * 256));
        for (var image = 0; image < count; image++)
        {
            foreach (ref var pixel in pixels.AsSpan(image * size * size * 3, size / 2 * size * 3))
            {
                pixel = (byte)((pixel / 64 * 8) + 100);
            }
        }

        return pixels;
    }

    /// <summary>A weight file with the script's <c>fill</c>.</summary>
    public static void WriteFilled(string path, NetworkArchitecture architecture)
    {
        var tensors = new Dictionary<string, TensorData>();
        var names = architecture.Graph.TensorShapes.OrderBy(pair => pair.Key, StringComparer.Ordinal);
        foreach (var ((name, shape), stream) in names.Select((pair, index) => (pair, index)))
        {
            Func<double, double> change =
                shape.Length == 4 ? value => ((2 * value) - 1) * Math.Sqrt(6.0 / (shape[1] * shape[2] * shape[3]))
                : name.EndsWith("weight", StringComparison.Ordinal) || name.EndsWith("running_var", StringComparison.Ordinal)
                    ? value => 0.5 + value
                : value => value - 0.5;
            var values = Array.ConvertAll(
                Draw(100 + stream, (int)shape.Aggregate(1L, (product, length) => product * length)),
                value => (float)change(value)
            );
            tensors.Add("features." + name, TensorData.FromValues(values, shape));
        }

        File.WriteAllBytes(path, SafetensorsWriter.ToBytes(tensors));
    }

    public static double[] Numbers(this JsonElement element) => [.. element.EnumerateArray().Select(item => item.GetDouble())];

    /// <summary>The largest relative error of a row, by Euclidean norms.</summary>
    public static double LargestError(float[] expected, float[] found, int count)
    {
        Assert.Equal(expected.Length, found.Length);
        return expected
            .Zip(found, (wanted, value) => (Wanted: (double)wanted, Value: (double)value))
            .Chunk(expected.Length / count)
            .Max(row => Math.Sqrt(row.Sum(pair => Math.Pow(pair.Wanted - pair.Value, 2)) / row.Sum(pair => pair.Wanted * pair.Wanted)));
    }
}
