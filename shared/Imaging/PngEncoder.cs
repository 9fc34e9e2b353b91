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
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height) =>
        RgbPixmap.Encode(rgb, width, height, pixmap => pixmap.Encode(SKPngEncoderOptions.Default));
}
