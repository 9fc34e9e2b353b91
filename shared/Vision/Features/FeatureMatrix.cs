namespace Distributed.Vision.Features;

/// <summary>Features of images in memory.</summary>
/// <param name="Values">Row-major, one row an image: Count × Size numbers.</param>
/// <param name="Count">Images.</param>
/// <param name="Size">Feature dimension.</param>
public sealed record FeatureMatrix(float[] Values, int Count, int Size) : IFeatureSource
{
    /// <summary>The features of one image.</summary>
    /// <param name="index">Zero-based.</param>
    public ReadOnlySpan<float> Row(int index) => Values.AsSpan(index * Size, Size);

    /// <inheritdoc/>
    public void Read(ReadOnlySpan<int> rows, FeatureTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        for (var i = 0; i < rows.Length; i++)
        {
            Row(rows[i]).CopyTo(target(i));
        }
    }
}
