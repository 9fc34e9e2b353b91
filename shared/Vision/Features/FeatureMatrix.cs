namespace Distributed.Vision.Features;

/// <summary>Features of images in memory.</summary>
/// <param name="Values">Row-major, one row an image: Count × Size numbers.</param>
/// <param name="Count">Images.</param>
/// <param name="Size">Feature dimension.</param>
public sealed record FeatureMatrix(float[] Values, int Count, int Size)
{
    /// <summary>The features of one image.</summary>
    /// <param name="index">Zero-based.</param>
    public ReadOnlySpan<float> Row(int index) => Values.AsSpan(index * Size, Size);

    /// <summary>Some of the images, in the order asked for.</summary>
    /// <param name="rows">Zero-based.</param>
    public FeatureMatrix Select(IReadOnlyList<int> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var values = new float[checked(rows.Count * Size)];
        for (var i = 0; i < rows.Count; i++)
        {
            Row(rows[i]).CopyTo(values.AsSpan(i * Size));
        }

        return new FeatureMatrix(values, rows.Count, Size);
    }
}
