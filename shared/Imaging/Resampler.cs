namespace Distributed.Imaging;

/// <summary>
/// Resamples 8-bit RGB images with the arithmetic of PIL's <c>Image.resize</c>, bit for bit: a separable kernel that widens when shrinking
/// (so that it does not alias), weights in fixed point with 22 fractional bits, the horizontal pass first, rounded to bytes between the passes.
/// </summary>
public static class Resampler
{
    /// <summary>Resizes an image, and returns a window of the result; only what the window needs is computed.</summary>
    /// <param name="image">The source.</param>
    /// <param name="width">Width of the whole result, in pixels.</param>
    /// <param name="height">Height of the whole result, in pixels.</param>
    /// <param name="filter">The kernel.</param>
    /// <param name="left">First column of the window.</param>
    /// <param name="top">First row of the window.</param>
    /// <param name="windowWidth">Columns of the window.</param>
    /// <param name="windowHeight">Rows of the window.</param>
    /// <returns>An image of the window's size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive, or the window leaves the result.</exception>
    public static RgbImage Resize(
        RgbImage image,
        int width,
        int height,
        ResampleFilter filter,
        int left,
        int top,
        int windowWidth,
        int windowHeight
    )
    {
        ArgumentNullException.ThrowIfNull(image);
        using var copy = RgbaImage.From(image);
        return new RgbImage(windowWidth, windowHeight, Resize(copy, width, height, filter, left, top, windowWidth, windowHeight));
    }

    /// <summary>Resizes a whole image.</summary>
    /// <inheritdoc cref="Resize(RgbImage, int, int, ResampleFilter, int, int, int, int)"/>
    public static RgbImage Resize(RgbImage image, int width, int height, ResampleFilter filter) =>
        Resize(image, width, height, filter, 0, 0, width, height);

    /// <summary>Resizes an image, and returns a window of the result as RGB; only what the window needs is computed.</summary>
    /// <inheritdoc cref="Resize(RgbImage, int, int, ResampleFilter, int, int, int, int)"/>
    internal static byte[] Resize(
        RgbaImage image,
        int width,
        int height,
        ResampleFilter filter,
        int left,
        int top,
        int windowWidth,
        int windowHeight
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(windowWidth);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(windowHeight);
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(left, width - windowWidth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, height - windowHeight);

        var columns = ResampleWeights.Compute(image.Width, width, left, windowWidth, filter);
        var rows = ResampleWeights.Compute(image.Height, height, top, windowHeight, filter);
        var firstRow = rows.First[0];
        var between = new RgbRows(windowWidth, rows.First[^1] + rows.Length[^1] - firstRow);
        try
        {
            // A pass between equal sizes would have the weight 1 everywhere: copying is the same and exact.
            if (columns.AreIdentity)
            {
                CopyColumns(image, left, firstRow, between);
            }
            else if (VectorResampling.IsSupported)
            {
                VectorResampling.ResampleRows(image, columns, firstRow, between);
            }
            else
            {
                PortableResampling.ResampleRows(image, columns, firstRow, between);
            }

            var result = GC.AllocateUninitializedArray<byte>(windowWidth * windowHeight * 3);
            if (rows.AreIdentity)
            {
                CopyRows(between, result);
            }
            else if (VectorResampling.IsSupported)
            {
                VectorResampling.ResampleColumns(between, rows, firstRow, result);
            }
            else
            {
                PortableResampling.ResampleColumns(between, rows, firstRow, result);
            }

            return result;
        }
        finally
        {
            between.Dispose();
        }
    }

    private static void CopyColumns(RgbaImage image, int left, int firstRow, RgbRows target)
    {
        for (var y = 0; y < target.Count; y++)
        {
            RgbaImage.CopyRgb(image.Row(firstRow + y)[(left * RgbaImage.PixelBytes)..], target.Row(y), target.Width);
        }
    }

    private static void CopyRows(RgbRows rows, Span<byte> target)
    {
        var bytes = rows.Width * 3;
        for (var y = 0; y < rows.Count; y++)
        {
            rows.Row(y)[..bytes].CopyTo(target[(y * bytes)..]);
        }
    }
}
