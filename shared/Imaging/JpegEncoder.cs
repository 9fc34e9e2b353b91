using SkiaSharp;

namespace Distributed.Imaging;

/// <summary>Writes RGB pixels as JPEG, for people to look at.</summary>
public static class JpegEncoder
{
    /// <summary>Encodes one image.</summary>
    /// <param name="rgb">Height × width × 3 bytes, row by row.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="quality">1 to 100.</param>
    /// <returns>The JPEG file.</returns>
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height, int quality)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        return RgbPixmap.Encode(rgb, width, height, pixmap => pixmap.Encode(new SKJpegEncoderOptions(quality)));
    }
}
