using System.Buffers.Binary;
using System.Text;

namespace Distributed.Storage;

/// <summary>Formats that share a container and are recognised by a name in it (RIFF; ISO/IEC 14496-12, brands), or by several fields of their header.</summary>
internal static class ContainerFormats
{
    private static readonly FileFormat Heic = FileFormat.Foreign("a HEIC image", "heic");
    private static readonly FileFormat Avif = FileFormat.Foreign("an AVIF image", "avif");
    private static readonly FileFormat CanonRaw = FileFormat.CameraRaw("CR3");
    private static readonly FileFormat Mp4 = new("an MP4 video", FileKind.Video);
    private static readonly FileFormat QuickTime = new("a QuickTime video", FileKind.Video);

    /// <summary>The format of a file that begins with one of these containers; null where it is none of them.</summary>
    public static FileFormat? Find(ReadOnlySpan<byte> head)
    {
        if (head.Length >= 12 && head.StartsWith("RIFF"u8))
        {
            return head[8..12] switch
            {
                [(byte)'W', (byte)'E', (byte)'B', (byte)'P'] => new FileFormat("a WebP image", FileKind.Image),
                [(byte)'A', (byte)'V', (byte)'I', _] => new FileFormat("an AVI video", FileKind.Video),
                [(byte)'W', (byte)'A', (byte)'V', (byte)'E'] => new FileFormat("a WAV sound file", FileKind.Sound),
                _ => null,
            };
        }

        if (head.Length >= 12 && head[4..].StartsWith("ftyp"u8))
        {
            var box = head[8..(int)Math.Clamp(BinaryPrimitives.ReadUInt32BigEndian(head), 12u, (uint)head.Length)];
            return HasBrand(box, "avif", "avis") ? Avif
                : HasBrand(box, "crx ") ? CanonRaw
                : HasBrand(box, "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1", "mif2") ? Heic
                : HasBrand(box, "qt  ") ? QuickTime
                : Mp4;
        }

        if (head.Length >= 12 && (head[4..].StartsWith("moov"u8) || head[4..].StartsWith("mdat"u8)))
        {
            return QuickTime;
        }

        // A BMP has the length of its header, one of few, behind that of the file and of the pixels.
        return head.Length >= 18
            && head.StartsWith("BM"u8)
            && BinaryPrimitives.ReadUInt32LittleEndian(head[14..]) is 12 or 40 or 52 or 56 or 64 or 108 or 124
                ? new FileFormat("a BMP image", FileKind.Image)
            : head.StartsWith<byte>([0, 0, 1, 0]) && head.Length > 5 && head[5] == 0 && head[4] > 0
                ? new FileFormat("an icon (ICO)", FileKind.Image)
            : head.Length > 2
            && head[0] == 'P'
            && head[1] is >= (byte)'1' and <= (byte)'7'
            && head[2] is (byte)'\n' or (byte)' ' or (byte)'\r' or (byte)'\t'
                ? FileFormat.Foreign("a Netpbm image", "ppm")
            : head.Length > 188 && head[0] == 0x47 && head[188] == 0x47 && (head.Length <= 376 || head[376] == 0x47)
                ? new FileFormat("an MPEG video", FileKind.Video)
            : null;
    }

    private static bool HasBrand(ReadOnlySpan<byte> brands, params ReadOnlySpan<string> wanted)
    {
        // The major brand, its version, which is passed over, and those that the file is compatible with.
        for (var at = 0; at + 4 <= brands.Length; at += 4)
        {
            foreach (var brand in wanted)
            {
                if (at != 4 && Encoding.Latin1.GetString(brands.Slice(at, 4)) == brand)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
