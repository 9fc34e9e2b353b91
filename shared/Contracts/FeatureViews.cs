namespace Distributed.Contracts;

/// <summary>The views of an image whose features are averaged.</summary>
/// <param name="Flip">Each view, and its mirror image.</param>
/// <param name="Crops">The whole square, or crops of a larger one.</param>
public sealed record FeatureViews(bool Flip, ImageCrops Crops)
{
    // 256 of 224, as usual for crops.
    private const int Share = 7;

    /// <summary>One view, the whole square.</summary>
    public static FeatureViews One { get; } = new(Flip: false, ImageCrops.Whole);

    /// <summary>How many times an image goes through the network.</summary>
    public int Count => (Flip ? 2 : 1) * (Crops == ImageCrops.Five ? 5 : 1);

    /// <summary>A stable text, fit for keys: empty for one view, else such as <c>;flip;crops=five</c>.</summary>
    public string Description => (Flip ? ";flip" : "") + (Crops == ImageCrops.Whole ? "" : $";crops={ChoiceName.Of(Crops)}");

    /// <summary>Side of the square that images are brought to, pixels.</summary>
    /// <param name="inputSize">Side of what goes through the network, pixels.</param>
    public int SquareOf(int inputSize) => Crops == ImageCrops.Whole ? inputSize : inputSize + ((inputSize + Share - 1) / Share);

    /// <summary>Where crops begin in a square: row and column of their first pixels.</summary>
    /// <param name="inputSize">Side of a crop, pixels.</param>
    public IReadOnlyList<(int Top, int Left)> CropsOf(int inputSize)
    {
        var end = SquareOf(inputSize) - inputSize;
        return end == 0 ? [(0, 0)] : [(end / 2, end / 2), (0, 0), (0, end), (end, 0), (end, end)];
    }
}
