using System.Buffers.Binary;

namespace Distributed.Datasets.Archives;

/// <summary>
/// Reads the names in a zip archive's directory. The base library's reader, which reads the content, shows neither the bytes of names nor extra
/// fields, and so makes one name of two that are not UTF-8.
/// </summary>
/// <remarks>Format: PKWARE, APPNOTE.TXT, 4.3.12 to 4.3.16.</remarks>
internal static class ZipDirectory
{
    private const int EndLength = 22;
    private const int Locator64Length = 20;
    private const int End64Length = 56;
    private const int HeaderLength = 46;

    /// <summary>Whether a file ends as the last part of an archive does that was split into several files.</summary>
    /// <param name="zip">The file; where it is read from later is changed.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async Task<bool> IsLastPartAsync(Stream zip, CancellationToken cancellationToken) =>
        await FindEndAsync(zip, cancellationToken) is { } end && IsOfSeveral(end.Bytes);

    /// <summary>The names of all entries, in the order of the directory, and the methods that they are compressed by.</summary>
    /// <param name="zip">The archive; where it is read from later is changed.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="InvalidDataException">The directory is damaged, or cut short.</exception>
    public static async Task<IReadOnlyList<(EntryName Name, int Method)>> ReadAsync(Stream zip, CancellationToken cancellationToken)
    {
        var (position, bytes) =
            await FindEndAsync(zip, cancellationToken) ?? throw new InvalidDataException("the end of its directory is missing");
        var (count, start) = (
            (long)BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(10)),
            (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16))
        );
        if (
            BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(4)) == ushort.MaxValue
            || count == ushort.MaxValue
            || start == uint.MaxValue
        )
        {
            (count, start) = await ReadEnd64Async(zip, position, cancellationToken) ?? (count, start);
        }

        if (count > DatasetArchive.MaximalFiles)
        {
            throw new InvalidDataException($"its directory has {count} entries; the most is {DatasetArchive.MaximalFiles}");
        }

        var names = new List<(EntryName, int)>();
        var header = new byte[HeaderLength];
        var rest = new byte[3 * ushort.MaxValue];
        zip.Position = start >= 0 && start <= zip.Length ? start : throw new InvalidDataException("its directory is missing");
        // A directory whose count has overflowed is longer than it says: the signature shows it.
        while (
            await zip.ReadAtLeastAsync(header, HeaderLength, throwOnEndOfStream: false, cancellationToken) == HeaderLength
            && header.AsSpan().StartsWith("PK\u0001\u0002"u8)
        )
        {
            var (nameLength, extraLength) = (
                BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(28)),
                BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(30))
            );
            var length = nameLength + extraLength + BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(32));
            await zip.ReadExactlyAsync(rest.AsMemory(0, length), cancellationToken);
            var name = EntryName.FromZip(
                rest.AsSpan(0, nameLength),
                BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(8)),
                rest.AsSpan(nameLength, extraLength)
            );
            names.Add((name, BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(10))));
            if (names.Count > DatasetArchive.MaximalFiles)
            {
                throw new InvalidDataException($"its directory has more than {DatasetArchive.MaximalFiles} entries");
            }
        }

        return names.Count == count ? names : throw new InvalidDataException($"its directory has {names.Count} entries and says {count}");
    }

    private static bool IsOfSeveral(ReadOnlySpan<byte> end) =>
        BinaryPrimitives.ReadUInt16LittleEndian(end[4..]) is > 0 and < ushort.MaxValue;

    /// <summary>The end of the directory, which only a comment follows.</summary>
    private static async Task<(long Position, byte[] Bytes)?> FindEndAsync(Stream zip, CancellationToken cancellationToken)
    {
        var tail = new byte[Math.Min(zip.Length, EndLength + ushort.MaxValue)];
        zip.Position = zip.Length - tail.Length;
        await zip.ReadExactlyAsync(tail, cancellationToken);
        var at = tail.Length < EndLength ? -1 : tail.AsSpan(0, tail.Length - EndLength + 4).LastIndexOf("PK\u0005\u0006"u8);
        return at < 0 ? null : (zip.Length - tail.Length + at, tail[at..(at + EndLength)]);
    }

    /// <summary>Count and place of a directory that is too large for the fields of the old one; null where the old one stands alone.</summary>
    private static async Task<(long Count, long Start)?> ReadEnd64Async(Stream zip, long end, CancellationToken cancellationToken)
    {
        var bytes = new byte[End64Length];
        if (end < Locator64Length)
        {
            return null;
        }

        zip.Position = end - Locator64Length;
        await zip.ReadExactlyAsync(bytes.AsMemory(0, Locator64Length), cancellationToken);
        if (!bytes.AsSpan().StartsWith("PK\u0006\u0007"u8))
        {
            return null;
        }

        var at = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8));
        zip.Position = at >= 0 && at <= end - End64Length ? at : throw new InvalidDataException("the end of its directory is missing");
        await zip.ReadExactlyAsync(bytes, cancellationToken);
        return bytes.AsSpan().StartsWith("PK\u0006\u0006"u8)
            ? (BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(32)), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(48)))
            : throw new InvalidDataException("the end of its directory is damaged");
    }
}
