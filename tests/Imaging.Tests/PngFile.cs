using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace Distributed.Imaging.Tests;

/// <summary>PNG files with chunks that no encoder would write.</summary>
internal static class PngFile
{
    private const int HeaderEnd = 33;
    private const int EndChunk = 12;

    /// <summary>A small file whose header claims another size.</summary>
    public static byte[] Claiming(int width, int height)
    {
        var png = PngEncoder.Encode(new byte[16 * 16 * 3], 16, 16);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), height);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc32.HashToUInt32(png.AsSpan(12, 17)));
        return png;
    }

    /// <summary>Adds a chunk before the pixels, or behind them.</summary>
    public static byte[] With(byte[] png, string type, byte[] data, bool behindPixels = false)
    {
        byte[] content = [.. Encoding.Latin1.GetBytes(type), .. data];
        var (length, sum) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(sum, Crc32.HashToUInt32(content));
        var at = behindPixels ? png.Length - EndChunk : HeaderEnd;
        return [.. png[..at], .. length, .. content, .. sum, .. png[at..]];
    }
}
