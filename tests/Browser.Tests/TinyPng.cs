using System.Buffers.Binary;
using System.IO.Compression;

namespace Distributed.Browser.Tests;

/// <summary>Draws small pictures, so that no photo needs to be kept.</summary>
internal static class TinyPng
{
    /// <summary>A PNG file with a disc on a ground whose colours follow from the seed.</summary>
    public static byte[] Draw(int seed, int size = 48)
    {
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);

        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, size);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), size);
        header[8] = 8; // bits a channel
        header[9] = 2; // RGB
        WriteChunk(png, "IHDR"u8, header);

        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            for (var y = 0; y < size; y++)
            {
                zlib.WriteByte(0); // no filter
                for (var x = 0; x < size; x++)
                {
                    var isDisc = Math.Pow(x - (size / 2.0), 2) + Math.Pow(y - (size / 2.0), 2) < size * size / 9.0;
                    var shade = isDisc ? seed * 67 : 128 + (seed * 41);
                    zlib.Write([(byte)shade, (byte)((shade * 3) + (y * 2)), (byte)((shade * 7) + x)]);
                }
            }
        }

        WriteChunk(png, "IDAT"u8, packed.ToArray());
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static void WriteChunk(Stream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc([.. type, .. data]));
        png.Write(number);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xEDB88320;
            }
        }

        return ~crc;
    }
}
