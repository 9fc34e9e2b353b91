using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Distributed.Imaging;

/// <summary>
/// Finds the EXIF orientation of a PNG file, before or behind its pixels: in the chunk <c>eXIf</c>, or where there is none in the text
/// <c>Raw profile type exif</c>, in which programs kept it before that chunk was standardised (PIL reads both in this order). An orientation in XMP alone
/// is not carried out, in no format: viewers do not either.
/// </summary>
/// <remarks>Format: W3C, PNG Specification (Third Edition), 11.3.4.5 eXIf; ImageMagick's raw profiles.</remarks>
internal static class PngOrientation
{
    /// <summary>Bytes of a raw profile that are looked at: the tag stands near its beginning.</summary>
    private const int MostProfileBytes = 1 << 16;

    private const int Signature = 8;
    private const int Frame = 12;

    /// <summary>The orientation.</summary>
    /// <param name="png">The whole file.</param>
    /// <returns>The value of tag 0x0112, 1 to 8; 1 where there is none.</returns>
    public static int Find(ReadOnlySpan<byte> png)
    {
        var fromProfile = 0;
        for (var rest = png[Math.Min(png.Length, Signature)..]; rest.Length >= Frame; )
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(rest);
            if (length > rest.Length - Frame)
            {
                break;
            }

            var type = rest[4..8];
            var data = rest.Slice(8, (int)length);
            if (type.SequenceEqual("eXIf"u8) && IsWhole(rest[4..], (int)length))
            {
                return ExifOrientation.Find(data) is var found and > 0 ? found : ExifOrientation.Upright;
            }

            if (fromProfile == 0 && (type.SequenceEqual("zTXt"u8) || type.SequenceEqual("tEXt"u8)) && IsWhole(rest[4..], (int)length))
            {
                fromProfile = OfText(data, isCompressed: type[0] == 'z');
            }

            rest = rest[(Frame + (int)length)..];
        }

        return fromProfile > 0 ? fromProfile : ExifOrientation.Upright;
    }

    /// <summary>The check sum over type and data; libpng passes over a chunk of this kind whose sum is wrong, too.</summary>
    private static bool IsWhole(ReadOnlySpan<byte> typeAndRest, int length) =>
        Crc32.HashToUInt32(typeAndRest[..(4 + length)]) == BinaryPrimitives.ReadUInt32BigEndian(typeAndRest[(4 + length)..]);

    /// <summary>The orientation in a raw profile: lines with its name and its length, then lines of hexadecimal digits; 0 for none.</summary>
    private static int OfText(ReadOnlySpan<byte> data, bool isCompressed)
    {
        var keyword = "Raw profile type exif\0"u8;
        if (!data.StartsWith(keyword) || (isCompressed && (data.Length == keyword.Length || data[keyword.Length] != 0)))
        {
            return 0;
        }

        data = isCompressed ? Inflate(data[(keyword.Length + 1)..].ToArray()) : data[keyword.Length..];
        var profile = new byte[MostProfileBytes / 2];
        var (digits, lines) = (0, 0);
        foreach (var value in data[..Math.Min(data.Length, MostProfileBytes)])
        {
            if (value == '\n')
            {
                lines++;
            }
            else if (lines >= 3 && char.IsAsciiHexDigit((char)value))
            {
                profile[digits / 2] = (byte)((profile[digits / 2] << 4) | (value <= '9' ? value - '0' : (value | 0x20) - 'a' + 10));
                digits++;
            }
        }

        return ExifOrientation.Find(profile.AsSpan(0, digits / 2));
    }

    private static ReadOnlySpan<byte> Inflate(byte[] compressed)
    {
        var text = new byte[MostProfileBytes];
        using var zlib = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
        try
        {
            return text.AsSpan(0, zlib.ReadAtLeast(text, text.Length, throwOnEndOfStream: false));
        }
        catch (InvalidDataException)
        {
            // A text that is damaged says nothing, as one that is absent; the pixels are none the worse.
            return [];
        }
    }
}
