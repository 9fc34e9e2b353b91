using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace Distributed.Fuzzing;

/// <summary>Where a tar archive keeps a name.</summary>
internal enum TarNaming
{
    /// <summary>In the header.</summary>
    Header,

    /// <summary>In an entry of GNU's kind before it.</summary>
    GnuLongName,

    /// <summary>In an extended header of POSIX's kind before it.</summary>
    Pax,
}

/// <summary>An entry of an archive whose name is any bytes, as no library writes them.</summary>
/// <param name="Name">The name.</param>
/// <param name="Content">The content.</param>
internal sealed record RawEntry(byte[] Name, byte[] Content)
{
    /// <summary>Zip: the general purpose bit flag.</summary>
    public ushort Flags { get; init; }

    /// <summary>Zip: the extra fields.</summary>
    public byte[] Extra { get; init; } = [];

    /// <summary>Tar: where the name stands.</summary>
    public TarNaming Naming { get; init; }
}

/// <summary>Writes archives byte by byte.</summary>
internal static class RawArchives
{
    private const int Block = 512;

    /// <summary>The flag of a name in UTF-8.</summary>
    public const ushort Utf8Flag = 1 << 11;

    /// <summary>Info-ZIP's extra field of a name in UTF-8.</summary>
    public static byte[] UnicodePath(byte[] name, byte[] unicode, uint difference = 0)
    {
        var field = new byte[9 + unicode.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(field, 0x7075);
        BinaryPrimitives.WriteUInt16LittleEndian(field.AsSpan(2), (ushort)(5 + unicode.Length));
        field[4] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(field.AsSpan(5), Crc32.HashToUInt32(name) ^ difference);
        unicode.CopyTo(field, 9);
        return field;
    }

    /// <summary>A zip archive of stored files.</summary>
    public static byte[] Zip(params IReadOnlyList<RawEntry> entries)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        var starts = new List<uint>();
        foreach (var entry in entries)
        {
            starts.Add((uint)bytes.Position);
            writer.Write("PK\u0003\u0004"u8);
            WriteCommon(writer, entry, extra: []);
            writer.Write(entry.Name);
            writer.Write(entry.Content);
        }

        var directory = (uint)bytes.Position;
        foreach (var (entry, start) in entries.Zip(starts))
        {
            writer.Write("PK\u0001\u0002"u8);
            writer.Write((ushort)20);
            WriteCommon(writer, entry, entry.Extra);
            // No comment, the first disk, no attributes.
            writer.Write(new byte[10]);
            writer.Write(start);
            writer.Write(entry.Name);
            writer.Write(entry.Extra);
        }

        var length = (uint)bytes.Position - directory;
        writer.Write("PK\u0005\u0006"u8);
        writer.Write(0);
        writer.Write((ushort)entries.Count);
        writer.Write((ushort)entries.Count);
        writer.Write(length);
        writer.Write(directory);
        writer.Write((ushort)0);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>A tar archive.</summary>
    public static byte[] Tar(params IReadOnlyList<RawEntry> entries)
    {
        using var bytes = new MemoryStream();
        foreach (var entry in entries)
        {
            switch (entry.Naming)
            {
                case TarNaming.GnuLongName:
                    WriteTarEntry(bytes, "././@LongLink"u8, 'L', [.. entry.Name, 0]);
                    break;
                case TarNaming.Pax:
                    WriteTarEntry(bytes, "pax"u8, 'x', PaxRecord(entry.Name));
                    break;
            }

            WriteTarEntry(bytes, entry.Name, '0', entry.Content);
        }

        bytes.Write(new byte[2 * Block]);
        return bytes.ToArray();
    }

    private static void WriteCommon(BinaryWriter writer, RawEntry entry, byte[] extra)
    {
        writer.Write((ushort)20);
        writer.Write(entry.Flags);
        // Stored, at no time.
        writer.Write(new byte[6]);
        writer.Write(Crc32.HashToUInt32(entry.Content));
        writer.Write(entry.Content.Length);
        writer.Write(entry.Content.Length);
        writer.Write((ushort)entry.Name.Length);
        writer.Write((ushort)extra.Length);
    }

    private static byte[] PaxRecord(byte[] name)
    {
        // The length counts its own digits.
        var rest = " path=\n".Length + name.Length;
        var length = rest + 1;
        while (length != rest + length.ToString(CultureInfo.InvariantCulture).Length)
        {
            length++;
        }

        return [.. Encoding.ASCII.GetBytes($"{length} path="), .. name, (byte)'\n'];
    }

    private static void WriteTarEntry(MemoryStream bytes, ReadOnlySpan<byte> name, char type, byte[] content)
    {
        var header = new byte[Block];
        name[..Math.Min(name.Length, 100)].CopyTo(header);
        Encoding.ASCII.GetBytes(Convert.ToString(content.Length, 8).PadLeft(11, '0')).CopyTo(header, 124);
        header.AsSpan(148, 8).Fill((byte)' ');
        header[156] = (byte)type;
        "ustar\0"u8.CopyTo(header.AsSpan(257));
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(value => value), 8).PadLeft(6, '0') + "\0").CopyTo(header, 148);
        bytes.Write(header);
        bytes.Write(content);
        bytes.Write(new byte[-content.Length & (Block - 1)]);
    }
}
