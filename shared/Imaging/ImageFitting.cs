namespace Distributed.Imaging;

/// <summary>Makes images square, with the sizes and offsets of torchvision's <c>Resize</c> and <c>CenterCrop</c> on PIL images.</summary>
public static class ImageFitting
{
    /// <summary>The resampling kernel, for the descriptors that features are keyed by. Bicubic is what the published accuracy of timm's weights was measured with.</summary>
    public const string Filter = "bicubic";

    /// <summary>The colour that <see cref="FitMode.Pad"/> fills with: ImageNet's mean, which is zero after normalisation.</summary>
    public static ReadOnlySpan<byte> Padding => [124, 116, 104];

    /// <summary>Makes one image square. An image that has the size already is returned as it is, byte for byte.</summary>
    /// <param name="image">The image.</param>
    /// <param name="size">Side of the square, in pixels.</param>
    /// <param name="mode">What to do about its shape.</param>
    /// <returns>size × size × 3 bytes, RGB, row by row.</returns>
    public static byte[] Fit(RgbImage image, int size, FitMode mode)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        if (image.Width == size && image.Height == size)
        {
            return image.Pixels;
        }

        return mode switch
        {
            FitMode.Crop => Crop(image, size),
            FitMode.Pad => Pad(image, size),
            FitMode.Stretch => Resampler.Resize(image, size, size, ResampleFilter.Bicubic).Pixels,
            _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Unknown fit mode."),
        };
    }

    private static byte[] Crop(RgbImage image, int size)
    {
        var shorter = Math.Min(image.Width, image.Height);
        var width = Scale(image.Width, size, shorter);
        var height = Scale(image.Height, size, shorter);
        return Resampler.Resize(image, width, height, ResampleFilter.Bicubic, Middle(width, size), Middle(height, size), size, size).Pixels;
    }

    private static byte[] Pad(RgbImage image, int size)
    {
        var longer = Math.Max(image.Width, image.Height);
        var width = Math.Max(Scale(image.Width, size, longer), 1);
        var height = Math.Max(Scale(image.Height, size, longer), 1);
        var inner = Resampler.Resize(image, width, height, ResampleFilter.Bicubic).Pixels;
        var square = new byte[size * size * 3];
        for (var i = 0; i < square.Length; i++)
        {
            square[i] = Padding[i % 3];
        }

        var (left, top) = (Middle(size, width), Middle(size, height));
        for (var row = 0; row < height; row++)
        {
            inner.AsSpan(row * width * 3, width * 3).CopyTo(square.AsSpan((((top + row) * size) + left) * 3));
        }

        return square;
    }

    // Cut off, not rounded, as torchvision's Resize does.
    private static int Scale(int side, int size, int reference) => (int)((double)((long)size * side) / reference);

    // Half-way cases go to the even number, as Python's round.
    private static int Middle(int outer, int inner) => (int)Math.Round((outer - inner) / 2.0, MidpointRounding.ToEven);
}
