using System.Globalization;
using System.Text.Json;

namespace Distributed.Vision.Onnx;

/// <summary>
/// How a model's publisher brings images to its size: Hugging Face's <c>size</c>, <c>crop_size</c> and <c>resample</c>, or timm's
/// <c>crop_pct</c> and <c>interpolation</c>. A run says it by its own settings, since images are decoded before the model is looked at.
/// </summary>
/// <param name="CropShare">Share of the shorter side that stays when the middle is cut out; 1 where nothing is said.</param>
/// <param name="IsBilinear">Whether images are resampled bilinearly; bicubic is usual.</param>
internal sealed record OnnxFitting(double CropShare, bool IsBilinear)
{
    /// <summary>Of PIL's <c>Resampling</c>.</summary>
    private const int PilBilinear = 2;

    private static readonly string[] _sides = ["shortest_edge", "height"];

    /// <summary>The settings of a run that say the same; null where they are at their defaults.</summary>
    public string? Advice
    {
        get
        {
            var settings = new List<string>();
            if (CropShare < 1)
            {
                settings.Add(string.Create(CultureInfo.InvariantCulture, $"cropShare {CropShare:0.###}"));
            }

            if (IsBilinear)
            {
                settings.Add("resampling bilinear");
            }

            return settings.Count == 0 ? null : string.Join(" and ", settings);
        }
    }

    /// <summary>Reads what a publisher's file says.</summary>
    /// <param name="json">An object; what it says may stand in objects within.</param>
    /// <returns>Null where it says nothing of it.</returns>
    public static OnnxFitting? Read(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        return Find(document.RootElement);
    }

    private static OnnxFitting? Find(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var isBilinear =
            element.TryGetProperty("interpolation", out var name) && name.ValueKind == JsonValueKind.String && name.ValueEquals("bilinear")
            || (
                element.TryGetProperty("resample", out var filter)
                && filter.ValueKind == JsonValueKind.Number
                && filter.TryGetInt32(out var number)
                && number == PilBilinear
            );
        var share =
            element.TryGetProperty("crop_pct", out var percent) && percent.ValueKind == JsonValueKind.Number ? percent.GetDouble()
            : Side(element, "crop_size") is { } cropped && Side(element, "size") is { } resized && IsTrue(element, "do_center_crop")
                ? cropped / resized
            : 1;
        return isBilinear || share < 1
            ? new OnnxFitting(Math.Clamp(share, 0.1, 1), isBilinear)
            : element.EnumerateObject().Select(property => Find(property.Value)).FirstOrDefault(found => found is not null);
    }

    /// <summary>A number, or the shorter side of an object of two.</summary>
    private static double? Side(JsonElement element, string name) =>
        !element.TryGetProperty(name, out var size) ? null
        : size.ValueKind == JsonValueKind.Number ? size.GetDouble()
        : size.ValueKind != JsonValueKind.Object ? null
        : _sides
            .Select(side => size.TryGetProperty(side, out var length) && length.ValueKind == JsonValueKind.Number ? length.GetDouble() : 0)
            .FirstOrDefault(length => length > 0)
            is > 0
                and var found
            ? found
        : null;

    private static bool IsTrue(JsonElement element, string name) =>
        !element.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.True;
}
