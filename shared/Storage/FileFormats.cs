using System.Buffers.Binary;
using System.Text;

namespace Distributed.Storage;

/// <summary>
/// Recognises what a file is by its first bytes, whatever it is called. The one table of formats for all that reads files from outside:
/// what is not read is refused by its name.
/// </summary>
/// <remarks>After the formats' specifications, POSIX.1-2017 (tar), and the documentation of Git LFS ("the pointer").</remarks>
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

    /// <summary>A file compressed with gzip; what it holds is recognised by its content.</summary>
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

    private static readonly FileFormat Svg = FileFormat.Foreign("an SVG drawing", "svg");

    /// <summary>Recognises what a file is.</summary>
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

        if (FileSignatures.Find(head) is { } signed)
        {
            return signed == Zip && IsPytorch(head) ? PytorchZip
                : signed == TiffFormats.Tiff ? TiffFormats.Find(head)
                : signed;
        }

        return ContainerFormats.Find(head)
            ?? OfWeights(head)
            ?? (head.Length > 257 && head[257..].StartsWith("ustar"u8) ? Tar : OfText(head));
    }

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
