using System.Buffers.Binary;
using System.Text;

namespace Distributed.Storage;

/// <summary>Tells cameras' raw files that are built like TIFF from TIFF images, by the first directory of the file.</summary>
/// <remarks>TIFF 6.0, section 2; Digital Negative 1.7 (DNGVersion). Cameras put a small preview first, and the maker's name beside it.</remarks>
internal static class TiffFormats
{
    public static readonly FileFormat Tiff = FileFormat.Foreign("a TIFF image", "tif");

    private const ushort NewSubfileType = 0x00FE;
    private const ushort Make = 0x010F;
    private const ushort DngVersion = 0xC612;
    private const int EntryBytes = 12;

    private static readonly FileFormat Dng = FileFormat.CameraRaw("DNG");

    private static readonly (string Maker, FileFormat Format)[] Makers =
    [
        ("NIKON", FileFormat.CameraRaw("NEF")),
        ("SONY", FileFormat.CameraRaw("ARW")),
        ("PENTAX", FileFormat.CameraRaw("PEF")),
        ("RICOH", FileFormat.CameraRaw("PEF")),
        ("SAMSUNG", FileFormat.CameraRaw("SRW")),
        ("EPSON", FileFormat.CameraRaw("ERF")),
        ("HASSELBLAD", FileFormat.CameraRaw("3FR")),
    ];

    /// <summary>What a file is that begins as TIFF.</summary>
    public static FileFormat Find(ReadOnlySpan<byte> head)
    {
        var isLittle = head[0] == 'I';
        var at = head.Length < 8 ? uint.MaxValue : Number32(head[4..], isLittle);
        if (at > head.Length - 2)
        {
            return Tiff;
        }

        var (isPreview, maker) = (false, "");
        var entries = head[(int)at..];
        var count = Number16(entries, isLittle);
        for (entries = entries[2..]; count > 0 && entries.Length >= EntryBytes; count--, entries = entries[EntryBytes..])
        {
            var (length, value) = (Number32(entries[4..], isLittle), Number32(entries[8..], isLittle));
            switch (Number16(entries, isLittle))
            {
                case DngVersion:
                    return Dng;
                case NewSubfileType:
                    isPreview = (value & 1) != 0;
                    break;
                case Make when value < head.Length && length <= (uint)head.Length - value:
                    maker = Encoding.Latin1.GetString(head.Slice((int)value, (int)length));
                    break;
            }
        }

        return isPreview && Array.Find(Makers, known => maker.StartsWith(known.Maker, StringComparison.OrdinalIgnoreCase)).Format is { } raw
            ? raw
            : Tiff;
    }

    private static ushort Number16(ReadOnlySpan<byte> bytes, bool isLittle) =>
        isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static uint Number32(ReadOnlySpan<byte> bytes, bool isLittle) =>
        isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}
