namespace Distributed.Imaging;

/// <summary>Makes images square, with the sizes and offsets of torchvision's <c>Resize</c> and <c>CenterCrop</c> on PIL images.</summary>
public static class ImageFitting
{
    /// <summary>The colour that <see cref="FitMode.Pad"/> fills with: ImageNet's mean, which is zero after normalisation.</summary>
    public static ReadOnlySpan<byte> Padding => [124, 116, 104];

    /// <summary>Makes one image square, of which nothing but a middle's borders is cut off. An image that has the size already is returned as it is, byte for byte.</summary>
    /// <param name="image">The image.</param>
    /// <param name="size">Side of the square, in pixels.</param>
    /// <param name="mode">What to do about its shape.</param>
    /// <returns>size × size × 3 bytes, RGB, row by row.</returns>
    public static byte[] Fit(RgbImage image, int size, FitMode mode) => Fit(image, new ImagePreparation(size, mode, JpegDecoding.Full));

    /// <summary>Makes one image square.</summary>
    /// <param name="image">The image.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <returns>size × size × 3 bytes, RGB, row by row.</returns>
    public static byte[] Fit(RgbImage image, ImagePreparation preparation)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(preparation);
        if (IsFitting(image.Width, image.Height, preparation))
        {
            return image.Pixels;
        }

        using var copy = RgbaImage.From(image);
        return Fit(copy, preparation);
    }

    /// <inheritdoc cref="Fit(RgbImage, ImagePreparation)"/>
    internal static byte[] Fit(RgbaImage image, ImagePreparation preparation)
    {
        var size = preparation.Size;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size, nameof(preparation));
        if (IsFitting(image.Width, image.Height, preparation))
        {
            return image.ToRgb();
        }

        var (width, height) = SizeBefore(image.Width, image.Height, preparation);
        return preparation.Fit switch
        {
            FitMode.Pad => Pad(image, width, height, preparation),
            _ => Resampler.Resize(image, width, height, preparation.Resampling, Middle(width, size), Middle(height, size), size, size),
        };
    }

    /// <summary>
    /// How many pixels of a JPEG may become one, on a side, when it is decoded: the most of which what is left is still at least twice the size that it is
    /// then resampled to, so that resampling decides how it looks. It is what PIL's <c>Image.draft</c> chooses that is asked for twice that size.
    /// </summary>
    /// <param name="width">Width of the file's image, in pixels.</param>
    /// <param name="height">Height of the file's image, in pixels.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <returns>1, 2, 4 or 8.</returns>
    internal static int ScaleOf(int width, int height, ImagePreparation preparation)
    {
        if (preparation.Decoding == JpegDecoding.Full)
        {
            return 1;
        }

        var (fitWidth, fitHeight) = SizeBefore(width, height, preparation);
        return Math.Min(width / (2 * fitWidth), height / (2 * fitHeight)) switch
        {
            >= 8 => 8,
            >= 4 => 4,
            >= 2 => 2,
            _ => 1,
        };
    }

    /// <summary>Whether an image is what it is to become.</summary>
    private static bool IsFitting(int width, int height, ImagePreparation preparation) =>
        width == preparation.Size && height == preparation.Size && SizeBefore(width, height, preparation) == (width, height);

    /// <summary>The size that an image is resampled to before it is cut or padded.</summary>
    private static (int Width, int Height) SizeBefore(int width, int height, ImagePreparation preparation)
    {
        var (size, shorter, longer) = (preparation.Size, Math.Min(width, height), Math.Max(width, height));
        switch (preparation.Fit)
        {
            case FitMode.Crop:
                // Cut off, not rounded, as timm does.
                var kept = (int)(size / preparation.CropShare);
                return (Scale(width, kept, shorter), Scale(height, kept, shorter));
            case FitMode.Pad:
                return (Math.Max(Scale(width, size, longer), 1), Math.Max(Scale(height, size, longer), 1));
            case FitMode.Stretch:
                return (size, size);
            default:
                throw new ArgumentOutOfRangeException(nameof(preparation), preparation.Fit, "Unknown fit mode.");
        }
    }

    private static byte[] Pad(RgbaImage image, int width, int height, ImagePreparation preparation)
    {
        var size = preparation.Size;
        var inner = Resampler.Resize(image, width, height, preparation.Resampling, 0, 0, width, height);
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
