namespace Distributed.Imaging;

/// <summary>Turns and mirrors an image as the EXIF tag 0x0112 asks.</summary>
internal static class ImageOrientation
{
    /// <param name="image">The image as stored.</param>
    /// <param name="orientation">The tag, 1 to 8: where the first row and the first column of the stored image are to be seen.</param>
    public static RgbImage Apply(RgbImage image, int orientation)
    {
        var (width, height) = (image.Width, image.Height);
        // For the target pixel (0, 0): which stored pixel it shows, and how far a step to the right and a step down move in the stored image.
        var (start, right, down, turned) = orientation switch
        {
            2 => (width - 1, -1, width, false),
            3 => ((width * height) - 1, -1, -width, false),
            4 => ((height - 1) * width, 1, -width, false),
            5 => (0, width, 1, true),
            6 => ((height - 1) * width, -width, 1, true),
            7 => ((width * height) - 1, -width, -1, true),
            8 => (width - 1, width, -1, true),
            _ => (0, 1, width, false),
        };
        if (start == 0 && right == 1)
        {
            return image;
        }

        var (newWidth, newHeight) = turned ? (height, width) : (width, height);
        var pixels = GC.AllocateUninitializedArray<byte>(image.Pixels.Length);
        var target = 0;
        for (var y = 0; y < newHeight; y++)
        {
            var source = 3 * (start + (y * down));
            for (var x = 0; x < newWidth; x++, source += 3 * right, target += 3)
            {
                pixels[target] = image.Pixels[source];
                pixels[target + 1] = image.Pixels[source + 1];
                pixels[target + 2] = image.Pixels[source + 2];
            }
        }

        return new RgbImage(newWidth, newHeight, pixels);
    }
}
