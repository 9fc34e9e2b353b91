using System.Runtime.InteropServices;

namespace Distributed.Imaging;

/// <summary>Turns and mirrors an image as the EXIF tag 0x0112 asks.</summary>
internal static class ImageOrientation
{
    /// <summary>Carries out an orientation.</summary>
    /// <param name="image">The image as stored.</param>
    /// <param name="orientation">The tag, 1 to 8: where the first row and the first column of the stored image are to be seen.</param>
    /// <returns>The image as it is to be looked at: another one, the first being disposed of, or the same.</returns>
    public static RgbaImage Apply(RgbaImage image, int orientation)
    {
        var (width, height) = (image.Width, image.Height);
        // For the target pixel (0, 0): which stored pixel it shows, and how far a step to the right and a step down move in the stored image.
        var (start, right, down) = orientation switch
        {
            2 => (width - 1, -1, width),
            3 => ((width * height) - 1, -1, -width),
            4 => ((height - 1) * width, 1, -width),
            5 => (0, width, 1),
            6 => ((height - 1) * width, -width, 1),
            7 => ((width * height) - 1, -width, -1),
            8 => (width - 1, width, -1),
            _ => (0, 1, width),
        };
        if (start == 0 && right == 1)
        {
            return image;
        }

        var turned = IsTurned(orientation) ? new RgbaImage(height, width) : new RgbaImage(width, height);
        var from = MemoryMarshal.Cast<byte, uint>(image.Bytes);
        var to = MemoryMarshal.Cast<byte, uint>(turned.Bytes);
        // Of a turned image, some rows together: the columns that they are made of lie beside each other.
        const int Together = 16;
        for (var first = 0; first < turned.Height; first += Together)
        {
            var last = Math.Min(first + Together, turned.Height);
            for (var x = 0; x < turned.Width; x++)
            {
                for (var y = first; y < last; y++)
                {
                    to[(y * turned.Width) + x] = from[start + (y * down) + (x * right)];
                }
            }
        }

        image.Dispose();
        return turned;
    }

    /// <summary>Whether width and height change places.</summary>
    public static bool IsTurned(int orientation) => orientation is >= 5 and <= 8;
}
