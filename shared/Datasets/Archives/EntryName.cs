using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using System.Text.Unicode;

namespace Distributed.Datasets.Archives;

/// <summary>How the bytes of a part of an entry's path became text.</summary>
internal enum NameSpelling
{
    /// <summary>They are UTF-8.</summary>
    Utf8,

    /// <summary>They are not UTF-8, and are read as code page 437.</summary>
    CodePage437,

    /// <summary>They are not UTF-8, and nothing says what they are: each that is not stands as <c>%E9</c>, and a percent sign as <c>%25</c>.</summary>
    Escaped,
}

/// <summary>
/// The path of an archive's entry. Each part of it is read for itself, and alike in all entries, so that a folder has one name; each spelling gives
/// different bytes different texts. Where two spellings give the same text, <see cref="ArchiveTarget"/> keeps them from becoming one.
/// </summary>
/// <param name="Text">The path, with the separators of the archive.</param>
/// <param name="Spellings">The spelling of each part between separators; null where all are UTF-8.</param>
/// <remarks>
/// PKWARE, APPNOTE.TXT, 4.4.4 (bit 11), 4.6.9 (Info-ZIP Unicode Path Extra Field) and appendix D (code page 437 where neither is there). Many programs
/// write UTF-8 without saying so, and a text in code page 437 is hardly ever valid UTF-8: so that is looked at first.
/// </remarks>
internal sealed record EntryName(string Text, NameSpelling[]? Spellings = null)
{
    private const int Utf8Flag = 1 << 11;
    private const ushort UnicodePath = 0x7075;

    private static readonly Encoding CodePage437 = CodePagesEncodingProvider.Instance.GetEncoding(437)!;

    /// <summary>The name in a tar archive: UTF-8, or bytes of which nothing is known.</summary>
    public static EntryName FromTar(ReadOnlySpan<byte> bytes) => Read(bytes, NameSpelling.Escaped);

    /// <summary>The name in a zip archive.</summary>
    /// <param name="bytes">The name in the directory.</param>
    /// <param name="flags">The general purpose bit flag.</param>
    /// <param name="extra">The extra fields.</param>
    public static EntryName FromZip(ReadOnlySpan<byte> bytes, ushort flags, ReadOnlySpan<byte> extra)
    {
        var isUtf8 = (flags & Utf8Flag) != 0;
        if (isUtf8 && Utf8.IsValid(bytes))
        {
            return new EntryName(Encoding.UTF8.GetString(bytes));
        }

        return FromExtra(bytes, extra) ?? Read(bytes, isUtf8 ? NameSpelling.Escaped : NameSpelling.CodePage437);
    }

    /// <summary>Whether a character or byte stands between the parts of a path. Programs on Windows have written the backslash.</summary>
    public static bool IsSeparator(int value) => value is '/' or '\\';

    private static EntryName? FromExtra(ReadOnlySpan<byte> name, ReadOnlySpan<byte> extra)
    {
        const int Head = 4;
        const int Prefix = 5;
        while (extra.Length >= Head)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (length > extra.Length - Head)
            {
                return null;
            }

            // The check sum is that of the name which the field stands for: a program that does not know the field may have changed that.
            var data = extra.Slice(Head, length);
            if (
                BinaryPrimitives.ReadUInt16LittleEndian(extra) == UnicodePath
                && length > Prefix
                && data[0] == 1
                && BinaryPrimitives.ReadUInt32LittleEndian(data[1..]) == Crc32.HashToUInt32(name)
                && Utf8.IsValid(data[Prefix..])
            )
            {
                return new EntryName(Encoding.UTF8.GetString(data[Prefix..]));
            }

            extra = extra[(Head + length)..];
        }

        return null;
    }

    private static EntryName Read(ReadOnlySpan<byte> bytes, NameSpelling otherwise)
    {
        if (Utf8.IsValid(bytes))
        {
            return new EntryName(Encoding.UTF8.GetString(bytes));
        }

        var text = new StringBuilder();
        var spellings = new List<NameSpelling>();
        while (true)
        {
            var end = bytes.IndexOfAny((byte)'/', (byte)'\\');
            var part = end < 0 ? bytes : bytes[..end];
            var spelling = Utf8.IsValid(part) ? NameSpelling.Utf8 : otherwise;
            spellings.Add(spelling);
            text.Append(
                spelling switch
                {
                    NameSpelling.Utf8 => Encoding.UTF8.GetString(part),
                    NameSpelling.CodePage437 => CodePage437.GetString(part),
                    _ => Escape(part),
                }
            );
            if (end < 0)
            {
                return new EntryName(text.ToString(), [.. spellings]);
            }

            text.Append((char)bytes[end]);
            bytes = bytes[(end + 1)..];
        }
    }

    private static string Escape(ReadOnlySpan<byte> part)
    {
        var text = new StringBuilder();
        while (!part.IsEmpty)
        {
            var isWhole = Rune.DecodeFromUtf8(part, out var rune, out var length) == System.Buffers.OperationStatus.Done;
            if (isWhole && rune.Value != '%')
            {
                text.Append(rune.ToString());
            }
            else
            {
                foreach (var value in part[..length])
                {
                    text.Append('%').Append(value.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
                }
            }

            part = part[length..];
        }

        return text.ToString();
    }
}
