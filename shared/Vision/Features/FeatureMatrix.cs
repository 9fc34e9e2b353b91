namespace Distributed.Vision;

/// <summary>Features of images in memory.</summary>
/// <param name="Values">Row-major, one row an image: Count × Size numbers.</param>
/// <param name="Count">Images.</param>
/// <param name="Size">Numbers an image.</param>
public sealed record FeatureMatrix(float[] Values, int Count, int Size)
{
    /// <summary>The features of one image.</summary>
    /// <param name="index">Zero-based.</param>
    public ReadOnlySpan<float> Row(int index) => Values.AsSpan(index * Size, Size);
}
