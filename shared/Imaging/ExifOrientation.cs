using System.Buffers.Binary;

namespace Distributed.Imaging;

/// <summary>Finds the orientation in EXIF data.</summary>
/// <remarks>Format: CIPA DC-008 (EXIF), 4.6.4, tag 0x0112.</remarks>
internal static class ExifOrientation
{
    /// <summary>No orientation is given.</summary>
    public const int None = 0;

    /// <summary>The image is stored as it is to be looked at.</summary>
    public const int Upright = 1;

    /// <summary>Reads a TIFF header and the first directory that it points to.</summary>
    /// <param name="exif">The data, with or without <c>Exif</c> before them.</param>
    /// <returns>The value of the tag, 1 to 8; <see cref="None"/> where there is none.</returns>
    public static int Find(ReadOnlySpan<byte> exif)
    {
        const int Entry = 12;
        const ushort Orientation = 0x0112;
        const ushort Short = 3;
        if (exif.StartsWith("Exif\0\0"u8))
        {
            exif = exif[6..];
        }

        var isLittleEndian = exif.StartsWith("II*\0"u8);
        if (exif.Length < 8 || (!isLittleEndian && !exif.StartsWith("MM\0*"u8)))
        {
            return None;
        }

        var first = isLittleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(exif[4..]) : BinaryPrimitives.ReadUInt32BigEndian(exif[4..]);
        if (first > exif.Length - 2)
        {
            return None;
        }

        var entries = exif[((int)first + 2)..];
        for (
            var count = Number(exif[(int)first..], isLittleEndian);
            count > 0 && entries.Length >= Entry;
            count--, entries = entries[Entry..]
        )
        {
            if (Number(entries, isLittleEndian) == Orientation)
            {
                var value = Number(entries[8..], isLittleEndian);
                return Number(entries[2..], isLittleEndian) == Short && value is >= 1 and <= 8 ? value : None;
            }
        }

        return None;
    }

    private static ushort Number(ReadOnlySpan<byte> bytes, bool isLittleEndian) =>
        isLittleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
}
