using System.Buffers.Binary;

namespace Distributed.Fuzzing;

/// <summary>Changes to bytes that parsers are known to stumble over: bits, counts and lengths at their limits, pieces lost, doubled, moved, or of another file.</summary>
internal static class Mutation
{
    private const int MostChanges = 6;

    private static readonly ulong[] Limits =
    [
        0,
        1,
        2,
        7,
        8,
        0x7F,
        0x80,
        0xFF,
        0x100,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x10000,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFFE,
        0xFFFF_FFFF,
        0x1_0000_0000,
        0x7FFF_FFFF_FFFF_FFFF,
        0x8000_0000_0000_0000,
        ulong.MaxValue,
    ];

    /// <summary>Changes a file in a few places.</summary>
    /// <param name="bytes">The file; not changed itself.</param>
    /// <param name="others">Files to take pieces from.</param>
    /// <param name="words">Pieces that mean something in this format.</param>
    /// <param name="keepsLength">Whether lengths stay, for formats with many offsets.</param>
    /// <param name="random">Decides.</param>
    public static byte[] Apply(byte[] bytes, IReadOnlyList<byte[]> others, IReadOnlyList<byte[]> words, bool keepsLength, FuzzRandom random)
    {
        var changed = new List<byte>(bytes);
        for (var count = 1 + random.Below(MostChanges); count > 0; count--)
        {
            Change(changed, others, words, keepsLength, random);
        }

        return [.. changed];
    }

    private static void Change(
        List<byte> bytes,
        IReadOnlyList<byte[]> others,
        IReadOnlyList<byte[]> words,
        bool keepsLength,
        FuzzRandom random
    )
    {
        if (bytes.Count == 0)
        {
            bytes.AddRange(random.Bytes(1 + random.Below(64)));
            return;
        }

        var at = random.Below(bytes.Count);
        switch (random.Below(keepsLength && !random.OneIn(20) ? 6 : 11))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Below(8));
                break;
            case 1:
                bytes[at] = random.Byte();
                break;
            case 2:
                bytes[at] = (byte)(bytes[at] + random.Below(9) - 4);
                break;
            case 3:
                WriteNumber(bytes, at, random);
                break;
            case 4:
                var source = random.Below(bytes.Count);
                Overwrite(bytes, at, [.. bytes.Skip(source).Take(1 + random.Below(16))]);
                break;
            case 5:
                Overwrite(bytes, at, words.Count > 0 ? random.Pick(words) : random.Bytes(1 + random.Below(8)));
                break;
            case 6:
                bytes.InsertRange(at, words.Count > 0 && !random.OneIn(3) ? random.Pick(words) : random.Bytes(1 + random.Below(32)));
                break;
            case 7:
                bytes.RemoveRange(at, Math.Min(bytes.Count - at, 1 + random.Below(32)));
                break;
            case 8:
                var piece = bytes.Skip(at).Take(1 + random.Below(64)).ToArray();
                for (var times = 1 + random.Below(4); times > 0; times--)
                {
                    bytes.InsertRange(random.Below(bytes.Count + 1), piece);
                }

                break;
            case 9:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            default:
                var other = random.Pick(others);
                var from = random.Below(other.Length + 1);
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other[from..]);
                break;
        }
    }

    private static void WriteNumber(List<byte> bytes, int at, FuzzRandom random)
    {
        Span<byte> number = stackalloc byte[8];
        var value = random.OneIn(3) ? (ulong)random.Magnitude(64) : random.Pick(Limits);
        var width = 1 << random.Below(4);
        if (random.OneIn(2))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(number, value);
            Overwrite(bytes, at, number[..width]);
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(number, value);
            Overwrite(bytes, at, number[^width..]);
        }
    }

    private static void Overwrite(List<byte> bytes, int at, ReadOnlySpan<byte> piece)
    {
        for (var i = 0; i < piece.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = piece[i];
        }
    }
}
