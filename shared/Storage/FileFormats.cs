using System.Buffers.Binary;
using System.Text;

namespace Distributed.Storage;

/// <summary>
/// Tells what a file is from its first bytes, whatever it is called. The one table of formats for all that reads files from outside:
/// what is not read is refused by its name.
/// </summary>
/// <remarks>
/// Signatures as the formats' specifications give them, and ISO/IEC 14496-12 (brands), POSIX.1-2017 (tar), and the
/// documentation of Git LFS ("the pointer").
/// </remarks>
public static class FileFormats
{
    /// <summary>The first bytes of a file that are looked at; more do no harm.</summary>
    public const int HeadBytes = 4096;

    /// <summary>A zip archive, whose first file is not that of a PyTorch file.</summary>
    public static readonly FileFormat Zip = new("a zip archive", FileKind.Archive);

    /// <summary>A zip archive without files.</summary>
    public static readonly FileFormat EmptyZip = new("a zip archive without files", FileKind.Archive);

    /// <summary>A part of a zip archive that was split.</summary>
    public static readonly FileFormat ZipPart = new("a part of a zip archive that was split into several files", FileKind.Archive);

    /// <summary>A file compressed with gzip; what it holds is told from its content.</summary>
    public static readonly FileFormat Gzip = new("a file compressed with gzip", FileKind.Archive);

    /// <summary>A tar archive.</summary>
    public static readonly FileFormat Tar = new("a tar archive", FileKind.Archive);

    /// <summary>Weights in a safetensors file.</summary>
    public static readonly FileFormat Safetensors = new("a safetensors file", FileKind.Weights);

    /// <summary>Weights as PyTorch saves them since version 1.6: a zip archive.</summary>
    public static readonly FileFormat PytorchZip = new("a PyTorch weight file", FileKind.Weights);

    /// <summary>Weights as PyTorch saved them before version 1.6: a series of pickles.</summary>
    public static readonly FileFormat PytorchLegacy = new("a PyTorch weight file of the old format", FileKind.Weights);

    /// <summary>A Python pickle that is not PyTorch's.</summary>
    public static readonly FileFormat Pickle = new("a Python pickle", FileKind.Data);

    /// <summary>An HDF5 file; Keras keeps weights in it.</summary>
    public static readonly FileFormat Hdf5 = new("an HDF5 file", FileKind.Data);

    /// <summary>A network as ONNX keeps it.</summary>
    public static readonly FileFormat Onnx = new("an ONNX file", FileKind.Weights);

    /// <summary>A JPEG image.</summary>
    public static readonly FileFormat Jpeg = new("a JPEG image", FileKind.Image);

    /// <summary>A PNG image.</summary>
    public static readonly FileFormat Png = new("a PNG image", FileKind.Image);

    /// <summary>A file without a byte.</summary>
    public static readonly FileFormat Empty = new("an empty file", FileKind.Substitute) { Remedy = "copy or download it again" };

    /// <summary>A web page.</summary>
    public static readonly FileFormat Html = new("an HTML page", FileKind.Substitute)
    {
        Remedy = "a server gives such a page in place of a file where the address is wrong or needs a login; download the file itself",
    };

    /// <summary>What Git keeps in place of a large file.</summary>
    public static readonly FileFormat GitLfsPointer = new("a Git LFS pointer", FileKind.Substitute)
    {
        Remedy = "it stands in place of the file; fetch that with 'git lfs pull'",
    };

    /// <summary>What git-annex keeps in place of a large file.</summary>
    public static readonly FileFormat GitAnnexPointer = new("a git-annex pointer", FileKind.Substitute)
    {
        Remedy = "it stands in place of the file; fetch that with 'git annex get'",
    };

    /// <summary>Plain text that is nothing else.</summary>
    public static readonly FileFormat Text = new("a text file", FileKind.Text);

    private static readonly FileFormat Heic = Foreign("a HEIC image");
    private static readonly FileFormat Avif = Foreign("an AVIF image");
    private static readonly FileFormat CanonRaw = Foreign("a camera's raw file (CR3)");
    private static readonly FileFormat Mp4 = new("an MP4 video", FileKind.Video);
    private static readonly FileFormat QuickTime = new("a QuickTime video", FileKind.Video);
    private static readonly FileFormat Svg = Foreign("an SVG drawing");
    private static readonly FileFormat Tiff = Foreign("a TIFF image (or a camera's raw file, which is built like one)");

    private static readonly (int Offset, byte[] Bytes, FileFormat Format)[] Signatures =
    [
        // Images that are decoded.
        (0, [0xFF, 0xD8, 0xFF], Jpeg),
        (0, [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A], Png),
        (0, Ascii("GIF87a"), new("a GIF image", FileKind.Image)),
        (0, Ascii("GIF89a"), new("a GIF image", FileKind.Image)),
        // Images that are not.
        (0, [0, 0, 0, 0x0C, (byte)'J', (byte)'X', (byte)'L', (byte)' ', 0x0D, 0x0A, 0x87, 0x0A], Foreign("a JPEG XL image")),
        (0, [0xFF, 0x0A], Foreign("a JPEG XL image")),
        (0, [0, 0, 0, 0x0C, (byte)'j', (byte)'P', (byte)' ', (byte)' ', 0x0D, 0x0A, 0x87, 0x0A], Foreign("a JPEG 2000 image")),
        (0, [0xFF, 0x4F, 0xFF, 0x51], Foreign("a JPEG 2000 image")),
        (0, [(byte)'I', (byte)'I', 0xBC], Foreign("a JPEG XR image")),
        (8, Ascii("CR\u0002"), Foreign("a camera's raw file (CR2)")),
        (0, [(byte)'I', (byte)'I', (byte)'R', (byte)'O'], Foreign("a camera's raw file (ORF)")),
        (0, [(byte)'I', (byte)'I', (byte)'R', (byte)'S'], Foreign("a camera's raw file (ORF)")),
        (0, [(byte)'I', (byte)'I', (byte)'U', 0], Foreign("a camera's raw file (RW2)")),
        (0, Ascii("FUJIFILMCCD-RAW"), Foreign("a camera's raw file (RAF)")),
        (0, Ascii("FOVb"), Foreign("a camera's raw file (X3F)")),
        (0, [(byte)'I', (byte)'I', 42, 0], Tiff),
        (0, [(byte)'M', (byte)'M', 0, 42], Tiff),
        (0, [(byte)'I', (byte)'I', 43, 0], Tiff),
        (0, [(byte)'M', (byte)'M', 0, 43], Tiff),
        (0, Ascii("8BPS"), Foreign("a Photoshop image (PSD)")),
        (0, Ascii("gimp xcf"), Foreign("a GIMP image (XCF)")),
        (0, [0x76, 0x2F, 0x31, 0x01], Foreign("an OpenEXR image")),
        (0, Ascii("#?RADIANCE"), Foreign("a Radiance HDR image")),
        (0, Ascii("qoif"), Foreign("a QOI image")),
        (0, Ascii("DDS "), Foreign("a DDS texture")),
        (0, [0x8A, (byte)'M', (byte)'N', (byte)'G'], Foreign("an MNG animation")),
        (0, Ascii("AT&TFORM"), new("a DjVu document", FileKind.Document)),
        (0, Ascii("SIMPLE  ="), Foreign("a FITS image")),
        (128, Ascii("DICM"), Foreign("a DICOM image")),
        (344, Ascii("n+1\0"), Foreign("a NIfTI image")),
        // Moving pictures and sound.
        (0, [0x1A, 0x45, 0xDF, 0xA3], new("a Matroska or WebM video", FileKind.Video)),
        (0, [0, 0, 1, 0xBA], new("an MPEG video", FileKind.Video)),
        (0, [0, 0, 1, 0xB3], new("an MPEG video", FileKind.Video)),
        (0, Ascii("FLV\u0001"), new("a Flash video", FileKind.Video)),
        (0, [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11], new("a Windows Media video", FileKind.Video)),
        (0, Ascii("OggS"), new("an Ogg file of sound or video", FileKind.Video)),
        (0, Ascii("ID3"), new("an MP3 sound file", FileKind.Sound)),
        (0, Ascii("fLaC"), new("a FLAC sound file", FileKind.Sound)),
        // Documents.
        (0, Ascii("%PDF-"), new("a PDF document", FileKind.Document)),
        (0, Ascii("%!PS"), new("a PostScript document", FileKind.Document)),
        (0, [0xC5, 0xD0, 0xD3, 0xC6], new("a PostScript document", FileKind.Document)),
        (0, [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], new("a document of Microsoft Office", FileKind.Document)),
        // Archives.
        (0, [(byte)'P', (byte)'K', 3, 4], Zip),
        (0, [(byte)'P', (byte)'K', 5, 6], EmptyZip),
        (0, [(byte)'P', (byte)'K', 7, 8], ZipPart),
        (0, [0x1F, 0x8B], Gzip),
        (0, [0x1F, 0x9D], new("a file compressed with compress (.Z)", FileKind.Archive)),
        (0, Ascii("BZh"), new("a file compressed with bzip2", FileKind.Archive)),
        (0, [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], new("a file compressed with xz", FileKind.Archive)),
        (0, [(byte)'7', (byte)'z', 0xBC, 0xAF, 0x27, 0x1C], new("a 7z archive", FileKind.Archive)),
        (0, [(byte)'R', (byte)'a', (byte)'r', (byte)'!', 0x1A, 7], new("a RAR archive", FileKind.Archive)),
        (0, [0x28, 0xB5, 0x2F, 0xFD], new("a file compressed with zstd", FileKind.Archive)),
        (0, [0x04, 0x22, 0x4D, 0x18], new("a file compressed with lz4", FileKind.Archive)),
        (0, Ascii("LZIP"), new("a file compressed with lzip", FileKind.Archive)),
        (0, [0x5D, 0, 0], new("a file compressed with lzma", FileKind.Archive)),
        (0, Ascii("MSCF"), new("a Windows cabinet archive", FileKind.Archive)),
        (0, Ascii("!<arch>\n"), new("an ar or deb archive", FileKind.Archive)),
        (0, Ascii("070701"), new("a cpio archive", FileKind.Archive)),
        (0, Ascii("070707"), new("a cpio archive", FileKind.Archive)),
        (0, Ascii("hsqs"), new("a SquashFS image", FileKind.Archive)),
        // Weights, and data that are taken for images, weights or archives of them.
        (0, [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19], PytorchLegacy),
        (0, [0x89, (byte)'H', (byte)'D', (byte)'F', 0x0D, 0x0A, 0x1A, 0x0A], Hdf5),
        (0, Ascii("GGUF"), new("a GGUF weight file", FileKind.Weights)),
        (4, Ascii("TFL3"), new("a TensorFlow Lite file", FileKind.Weights)),
        (0, [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], new("a NumPy array", FileKind.Data)),
        (0, Ascii("MATLAB 5.0"), new("a MATLAB file", FileKind.Data)),
        (0, Ascii("PAR1"), new("a Parquet file", FileKind.Data)),
        (0, Ascii("ARROW1"), new("an Arrow file", FileKind.Data)),
        (0, Ascii("SQLite format 3\0"), new("a SQLite database", FileKind.Data)),
        // Programs.
        (0, [0x7F, (byte)'E', (byte)'L', (byte)'F'], new("a program", FileKind.Program)),
        (0, [(byte)'M', (byte)'Z'], new("a Windows program", FileKind.Program)),
    ];

    /// <summary>Tells what a file is.</summary>
    /// <param name="head">Its first <see cref="HeadBytes"/> bytes, or all where it has fewer.</param>
    /// <returns>The format; null where it is none of those that are known.</returns>
    public static FileFormat? Recognize(ReadOnlySpan<byte> head)
    {
        if (head.IsEmpty)
        {
            return Empty;
        }

        // A tar archive begins with the name of a file, which may begin with another format's signature.
        if (HasTarChecksum(head))
        {
            return Tar;
        }

        foreach (var (offset, bytes, format) in Signatures)
        {
            if (head.Length > offset && head[offset..].StartsWith(bytes))
            {
                return format == Zip && IsPytorch(head) ? PytorchZip : format;
            }
        }

        return OfContainer(head) ?? OfWeights(head) ?? (head.Length > 257 && head[257..].StartsWith("ustar"u8) ? Tar : OfText(head));
    }

    private static FileFormat Foreign(string name) => new(name, FileKind.ForeignImage);

    private static byte[] Ascii(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>The first file of PyTorch's archives: the pickle, or a line of text about the archive.</summary>
    private static bool IsPytorch(ReadOnlySpan<byte> zip)
    {
        const int NameLength = 26;
        const int Name = 30;
        if (zip.Length < Name)
        {
            return false;
        }

        var name = zip[Name..Math.Min(zip.Length, Name + BinaryPrimitives.ReadUInt16LittleEndian(zip[NameLength..]))];
        return name.EndsWith("/data.pkl"u8) || name.EndsWith("/.format_version"u8) || name.EndsWith("/constants.pkl"u8);
    }

    /// <summary>Formats that share a container, and are told by a name in it.</summary>
    private static FileFormat? OfContainer(ReadOnlySpan<byte> head)
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
                ? Foreign("a Netpbm image")
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

    private static FileFormat? OfWeights(ReadOnlySpan<byte> head)
    {
        const ulong LongestHeader = 100_000_000;
        if (
            head.Length >= 10
            && BinaryPrimitives.ReadUInt64LittleEndian(head) is >= 2 and <= LongestHeader
            && head[8] == '{'
            && head[9] is (byte)'"' or (byte)'}' or (byte)' ' or (byte)'\n'
        )
        {
            return Safetensors;
        }

        // The version of the format, then the name of the program that wrote it, or the graph.
        if (head.Length >= 4 && head[0] == 0x08 && head[1] is >= 1 and <= 20 && head[2] is 0x12 or 0x3A)
        {
            return Onnx;
        }

        return
            head.Length >= 4
            && head[0] == 0x80
            && head[1] is >= 2 and <= 5
            && head[2] is 0x95 or (byte)'}' or (byte)']' or (byte)'c' or (byte)'('
            ? Pickle
            : null;
    }

    /// <summary>The sum of a header's bytes, those of the sum itself taken as blanks, stands in it in octal digits.</summary>
    private static bool HasTarChecksum(ReadOnlySpan<byte> head)
    {
        const int Block = 512;
        if (head.Length < Block)
        {
            return false;
        }

        var sum = 8 * ' ';
        for (var i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : head[i];
        }

        var stated = 0;
        foreach (var digit in head[148..156].Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            stated = (stated << 3) | (digit - '0');
        }

        return stated == sum;
    }

    private static FileFormat? OfText(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("version https://git-lfs.github.com/spec/"u8))
        {
            return GitLfsPointer;
        }

        if (head.StartsWith("/annex/objects/"u8))
        {
            return GitAnnexPointer;
        }

        var text = Encoding.UTF8.GetString(head).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        // A character that the end of the head cuts in two is none of the file's mistakes.
        text = text.Length > 1 && text[^1] == '\uFFFD' ? text[..^1] : text;
        if (
            text.Contains('\uFFFD', StringComparison.Ordinal)
            || text.Any(character => char.IsControl(character) && character is not ('\t' or '\r' or '\n' or '\f' or '\u001B'))
        )
        {
            return null;
        }

        return text.StartsWith('<')
            && text.Contains("<svg", StringComparison.OrdinalIgnoreCase)
            && !text.Contains("<html", StringComparison.OrdinalIgnoreCase)
                ? Svg
            : text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || (text.StartsWith('<') && text.Contains("<html", StringComparison.OrdinalIgnoreCase))
                ? Html
            : Text;
    }
}
