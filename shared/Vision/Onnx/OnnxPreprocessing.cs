using System.Text.Json;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>
/// Reads how a model's images are normalised from the file that its publisher put beside it: Hugging Face's
/// <c>preprocessor_config.json</c> (<c>image_mean</c>, <c>image_std</c>, <c>rescale_factor</c>), or timm's <c>preprocess.json</c> and
/// <c>config.json</c> (<c>mean</c> and <c>std</c>, wherever they stand in it).
/// </summary>
internal static class OnnxPreprocessing
{
    private const int LongestFile = 1 << 20;
    private const int MostLevels = 16;
    private const double UsualRescale = 1 / 255.0;

    private static readonly string[] Names = ["preprocessor_config.json", "preprocess.json", "config.json"];

    /// <summary>Finds it.</summary>
    /// <param name="model">Path of the model.</param>
    /// <returns>The normalisation, the name of the file that says it, and what else it says of images that is not usual; null where no file beside the model does.</returns>
    /// <exception cref="WeightsException">A file says something that cannot be.</exception>
    public static (Preprocessing Preprocessing, string File, string? Advice)? FindBeside(string model)
    {
        foreach (var name in Names)
        {
            var path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(model))!, name);
            if (!File.Exists(path) || new FileInfo(path).Length > LongestFile)
            {
                continue;
            }

            var json = File.ReadAllBytes(path);
            if (Read(json, path) is { } found)
            {
                return (found, name, OnnxFitting.Read(json)?.Advice);
            }
        }

        return null;
    }

    /// <summary>Reads one.</summary>
    /// <param name="json">The content of the file.</param>
    /// <param name="source">What errors call it.</param>
    /// <returns>Null where it says nothing of a normalisation.</returns>
    /// <exception cref="WeightsException">It says something that cannot be.</exception>
    public static Preprocessing? Read(ReadOnlyMemory<byte> json, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MostLevels });
            return Find(document.RootElement, source);
        }
        catch (JsonException exception)
        {
            throw new WeightsException(
                $"'{source}' is no JSON. Correct it, or move it away and give the means and deviations as settings.",
                exception
            );
        }
    }

    private static Preprocessing? Find(JsonElement element, string source)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            return element.EnumerateArray().Select(item => Find(item, source)).FirstOrDefault(found => found is not null);
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (Numbers(element, "image_mean", "mean") is { } mean && Numbers(element, "image_std", "std") is { } std)
        {
            return Create(element, mean, std, source);
        }

        return element.EnumerateObject().Select(property => Find(property.Value, source)).FirstOrDefault(found => found is not null);
    }

    /// <summary>Means and deviations are counted in what <c>rescale_factor</c> makes of a byte.</summary>
    private static Preprocessing Create(JsonElement element, float[] mean, float[] std, string source)
    {
        var rescale = element.TryGetProperty("rescale_factor", out var factor) && factor.TryGetDouble(out var given) ? given : UsualRescale;
        if (element.TryGetProperty("do_rescale", out var does) && does.ValueKind == JsonValueKind.False)
        {
            rescale = 1;
        }

        if (element.TryGetProperty("do_normalize", out var normalises) && normalises.ValueKind == JsonValueKind.False)
        {
            (mean, std) = ([0, 0, 0], [1, 1, 1]);
        }

        try
        {
            return new Preprocessing(InUnits(mean), InUnits(std));
        }
        catch (ArgumentException exception)
        {
            throw new WeightsException(
                $"'{source}' says mean [{string.Join(", ", mean)}] and std [{string.Join(", ", std)}]; three numbers each are expected, and positive deviations.",
                exception
            );
        }

        float[] InUnits(float[] values) =>
            rescale == UsualRescale || Math.Abs((rescale * 255) - 1) < 1e-6
                ? values
                : Array.ConvertAll(values, value => (float)(value / (rescale * 255)));
    }

    private static float[]? Numbers(JsonElement element, params string[] names)
    {
        foreach (var name in names)
        {
            if (
                element.TryGetProperty(name, out var list)
                && list.ValueKind == JsonValueKind.Array
                && list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number)
            )
            {
                return [.. list.EnumerateArray().Select(item => item.GetSingle())];
            }
        }

        return null;
    }
}
