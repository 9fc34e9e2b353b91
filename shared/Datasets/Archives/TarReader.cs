using System.Buffers.Text;
using System.Formats.Tar;

namespace Distributed.Datasets.Archives;

/// <summary>One entry of a tar archive.</summary>
/// <param name="Name">Its path.</param>
/// <param name="Type">What it is.</param>
/// <param name="Length">Bytes of its content.</param>
internal sealed record TarHeader(EntryName Name, TarEntryType Type, long Length);

/// <summary>
/// Reads tar archives forward (v7, ustar, pax, GNU long names) in memory that does not depend on what they say. The base library's reader
/// takes as much memory as the length field of an extended header asks for: 2 GiB for an archive of 512 bytes.
/// </summary>
/// <remarks>Format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar's manual, "Basic Tar Format".</remarks>
internal sealed class TarReader(Stream stream)
{
    private const int Block = 512;

    /// <summary>Longest extended header, bytes. Paths are bounded by what file systems take, and nothing else of it is used.</summary>
    private const int LongestExtension = 1 << 20;

    private const long MostHeaders = 4L * DatasetArchive.MaximalFiles;
    private const char ExtendedHeader = 'x';
    private const char GlobalHeader = 'g';
    private const char LongName = 'L';
    private const char LongLink = 'K';

    private readonly byte[] _block = new byte[Block];
    private byte[] _scratch = [];
    private long _headers;
    private long _left;
    private long _padding;

    /// <summary>The next entry, whatever was left of the one before it; null at the end.</summary>
    /// <exception cref="InvalidDataException">The archive is damaged.</exception>
    /// <exception cref="EndOfStreamException">The archive is cut short.</exception>
    public async ValueTask<TarHeader?> NextAsync(CancellationToken cancellationToken)
    {
        EntryName? name = null;
        long? length = null;
        while (true)
        {
            await SkipAsync(_left + _padding, cancellationToken);
            (_left, _padding) = (0, 0);
            if (!await ReadBlockAsync(cancellationToken))
            {
                return null;
            }

            var (type, size) = ((char)_block[156], Number(_block.AsSpan(124, 12)));
            SetLength(size);
            switch (type)
            {
                case ExtendedHeader:
                    ReadRecords(await ReadExtensionAsync(cancellationToken), ref name, ref length);
                    continue;
                case LongName:
                    name = Name((await ReadExtensionAsync(cancellationToken)).Span);
                    continue;
                case LongLink or GlobalHeader:
                    continue;
            }

            if (length is { } extended)
            {
                SetLength(extended);
            }

            name ??= NameInHeader();
            var isDirectory = type == (char)TarEntryType.Directory || (type is '0' or '\0' && name.Text.EndsWith('/'));
            return new TarHeader(name, isDirectory ? TarEntryType.Directory : (TarEntryType)type, _left);
        }
    }

    /// <summary>Reads on in the content of the entry; 0 at its end.</summary>
    /// <exception cref="EndOfStreamException">The archive is cut short.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_left == 0 || buffer.IsEmpty)
        {
            return 0;
        }

        var read = await stream.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
        _left -= read;
        return read > 0 ? read : throw new EndOfStreamException("an entry ends before its length");
    }

    private static void ReadRecords(ReadOnlyMemory<byte> extension, ref EntryName? name, ref long? length)
    {
        // Each record is "LENGTH KEY=VALUE\n", and the length counts all of it.
        var rest = extension.Span;
        while (!rest.IsEmpty)
        {
            if (
                !Utf8Parser.TryParse(rest, out int record, out var digits)
                || record <= digits + 1
                || record > rest.Length
                || rest[digits] != ' '
                || rest[record - 1] != '\n'
            )
            {
                throw new InvalidDataException("an extended header is damaged");
            }

            var pair = rest[(digits + 1)..(record - 1)];
            rest = rest[record..];
            var equals = pair.IndexOf((byte)'=');
            var value = equals < 0 ? throw new InvalidDataException("an extended header is damaged") : pair[(equals + 1)..];
            var key = pair[..equals];
            if (key.SequenceEqual("path"u8))
            {
                // A value of no length takes back what was said before.
                name = value.IsEmpty ? null : EntryName.FromTar(value);
            }
            else if (key.SequenceEqual("size"u8))
            {
                length =
                    Utf8Parser.TryParse(value, out long size, out var used) && used == value.Length && size >= 0
                        ? size
                        : throw new InvalidDataException("an extended header gives a length that is no number");
            }
            else if (key.StartsWith("GNU.sparse."u8))
            {
                throw new NotSupportedException("it holds sparse files; pack it again without --sparse");
            }
        }
    }

    private static EntryName Name(ReadOnlySpan<byte> bytes) => EntryName.FromTar(UntilZero(bytes));

    private static ReadOnlySpan<byte> UntilZero(ReadOnlySpan<byte> bytes) =>
        bytes.IndexOf((byte)0) is var end and >= 0 ? bytes[..end] : bytes;

    /// <summary>Octal digits, or GNU's big-endian binary where the first bit is set.</summary>
    private static long Number(ReadOnlySpan<byte> field)
    {
        var value = 0L;
        if ((field[0] & 0x80) != 0)
        {
            foreach (var digit in field[4..])
            {
                value = (value << 8) | digit;
            }

            return field[0] == 0x80 && field[1..4].IndexOfAnyExcept((byte)0) < 0 && value >= 0
                ? value
                : throw new InvalidDataException("a length in it is out of range");
        }

        foreach (var digit in field.Trim(" \0"u8))
        {
            value = digit is >= (byte)'0' and <= (byte)'7'
                ? (value << 3) | (uint)(digit - '0')
                : throw new InvalidDataException("a number in it has other than octal digits");
        }

        return value;
    }

    private void SetLength(long length) => (_left, _padding) = (length, -length & (Block - 1));

    private EntryName NameInHeader()
    {
        var name = UntilZero(_block.AsSpan(0, 100));
        var isUstar = _block.AsSpan(257, 6).SequenceEqual("ustar\0"u8);
        return isUstar && _block[345] != 0
            ? EntryName.FromTar([.. UntilZero(_block.AsSpan(345, 155)), (byte)'/', .. name])
            : EntryName.FromTar(name);
    }

    private async ValueTask<bool> ReadBlockAsync(CancellationToken cancellationToken)
    {
        var read = await stream.ReadAtLeastAsync(_block, Block, throwOnEndOfStream: false, cancellationToken);
        if (read is > 0 and < Block)
        {
            throw new EndOfStreamException("it ends in the middle of a header");
        }

        if (read == 0 || _block.AsSpan().IndexOfAnyExcept((byte)0) < 0)
        {
            return false;
        }

        if (++_headers > MostHeaders)
        {
            throw new InvalidDataException($"it has more than {MostHeaders} headers");
        }

        // The sum of all bytes, those of the sum itself taken as blanks.
        var sum = 8L * ' ';
        for (var i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : _block[i];
        }

        return Number(_block.AsSpan(148, 8)) == sum ? true : throw new InvalidDataException("the checksum of a header is wrong");
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadExtensionAsync(CancellationToken cancellationToken)
    {
        if (_left > LongestExtension)
        {
            throw new InvalidDataException($"an extended header has {_left} bytes; the most is {LongestExtension}");
        }

        var length = (int)_left;
        if (_scratch.Length < length)
        {
            _scratch = new byte[length];
        }

        await stream.ReadExactlyAsync(_scratch.AsMemory(0, length), cancellationToken);
        _left = 0;
        return _scratch.AsMemory(0, length);
    }

    private async ValueTask SkipAsync(long count, CancellationToken cancellationToken)
    {
        if (count > 0 && _scratch.Length < 1 << 16)
        {
            _scratch = new byte[1 << 16];
        }

        while (count > 0)
        {
            var read = await stream.ReadAsync(_scratch.AsMemory(0, (int)Math.Min(count, _scratch.Length)), cancellationToken);
            count -= read > 0 ? read : throw new EndOfStreamException("an entry ends before its length");
        }
    }
}
