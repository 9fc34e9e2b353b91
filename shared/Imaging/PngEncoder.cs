using SkiaSharp;

namespace Distributed.Imaging;

/// <summary>Writes RGB pixels as PNG.</summary>
public static class PngEncoder
{
    /// <summary>Encodes one image.</summary>
    /// <param name="rgb">Height × width × 3 bytes, row by row.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <returns>The PNG file.</returns>
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if (rgb.Length != (long)width * height * 3)
        {
            throw new ArgumentException($"{rgb.Length} bytes are not {width}×{height} RGB pixels.", nameof(rgb));
        }

        var rgba = new byte[width * height * 4];
        for (int source = 0, target = 0; source < rgb.Length; source += 3, target += 4)
        {
            rgb.Slice(source, 3).CopyTo(rgba.AsSpan(target));
            rgba[target + 3] = 255;
        }

        unsafe
        {
            fixed (byte* pixels = rgba)
            {
                using var pixmap = new SKPixmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque), (IntPtr)pixels);
                using var data =
                    pixmap.Encode(SKPngEncoderOptions.Default)
                    ?? throw new InvalidOperationException($"The PNG encoder refused an image of {width}×{height} pixels.");
                return data.ToArray();
            }
        }
    }
}
