using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Imaging;

/// <summary>
/// Decoded pixels on their way to a square, in memory that the next image uses again: red, green, blue and a byte that counts for nothing, row by row.
/// </summary>
/// <param name="width">Width in pixels.</param>
/// <param name="height">Height in pixels.</param>
internal sealed class RgbaImage(int width, int height) : IDisposable
{
    /// <summary>Bytes of a pixel.</summary>
    public const int PixelBytes = 4;

    /// <summary>Bytes that may be read and written behind the last row, so that loops take whole vectors.</summary>
    public const int Spare = 128;

    private byte[]? _bytes = PixelMemory.Rent((width * height * PixelBytes) + Spare);

    /// <summary>Width in pixels.</summary>
    public int Width => width;

    /// <summary>Height in pixels.</summary>
    public int Height => height;

    /// <summary>Bytes from a row to the next.</summary>
    public int Stride => width * PixelBytes;

    /// <summary>All bytes, and what lies behind them.</summary>
    public Span<byte> Bytes => _bytes ?? throw new ObjectDisposedException(nameof(RgbaImage));

    /// <summary>A row, and what lies behind it.</summary>
    public Span<byte> Row(int y) => Bytes[(y * Stride)..];

    /// <summary>Copies an image.</summary>
    public static RgbaImage From(RgbImage image)
    {
        var copy = new RgbaImage(image.Width, image.Height);
        var source = image.Pixels.AsSpan();
        var target = MemoryMarshal.Cast<byte, uint>(copy.Bytes);
        for (var pixel = 0; pixel < image.Width * image.Height; pixel++)
        {
            var rgb = source.Slice(3 * pixel, 3);
            target[pixel] = rgb[0] | ((uint)rgb[1] << 8) | ((uint)rgb[2] << 16);
        }

        return copy;
    }

    /// <summary>The pixels without their fourth bytes.</summary>
    public byte[] ToRgb()
    {
        var rgb = GC.AllocateUninitializedArray<byte>(width * height * 3);
        CopyRgb(Bytes, rgb, width * height);
        return rgb;
    }

    /// <summary>Leaves out the fourth bytes.</summary>
    /// <param name="rgba">Four bytes a pixel.</param>
    /// <param name="rgb">Receives three bytes a pixel.</param>
    /// <param name="pixels">Number of pixels.</param>
    public static void CopyRgb(ReadOnlySpan<byte> rgba, Span<byte> rgb, int pixels)
    {
        // Four pixels at a time; what is written behind the fourth is written again with the next ones.
        var colours = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0xFF, 0xFF, 0xFF, 0xFF);
        var pixel = 0;
        for (; pixel < pixels - 5; pixel += 4)
        {
            Vector128.Shuffle(Vector128.Create(rgba.Slice(4 * pixel, 16)), colours).CopyTo(rgb[(3 * pixel)..]);
        }

        for (; pixel < pixels; pixel++)
        {
            rgba.Slice(4 * pixel, 3).CopyTo(rgb[(3 * pixel)..]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_bytes is { } bytes)
        {
            _bytes = null;
            PixelMemory.Return(bytes);
        }
    }
}
