using SkiaSharp;

namespace Distributed.Imaging;

/// <summary>Lends RGB pixels to the encoders of SkiaSharp, which want four bytes a pixel.</summary>
internal static class RgbPixmap
{
    /// <summary>Encodes one image.</summary>
    /// <param name="rgb">Height × width × 3 bytes, row by row.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="encode">The encoder; null from it is a refusal.</param>
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height, Func<SKPixmap, SKData?> encode)
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
                    encode(pixmap) ?? throw new InvalidOperationException($"The encoder refused an image of {width}×{height} pixels.");
                return data.ToArray();
            }
        }
    }
}
