using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Distributed.Imaging.Jpeg;

/// <summary>
/// Reads the coefficients of a JPEG scan, block by block (ITU-T T.81, F.2.2). It looks at no end while it reads a unit: behind the data lie as many
/// zeros as a unit can take, and <see cref="IsInside"/> tells afterwards whether there was enough.
/// </summary>
/// <param name="data">The data without their escape bytes, and <see cref="Spare"/> bytes behind them.</param>
internal ref struct EntropyDecoder(ReadOnlySpan<byte> data)
{
    /// <summary>Bytes that must lie behind the data: ten blocks of 64 values of 32 bits take less.</summary>
    public const int Spare = 4096;

    private const int BitsOfLongestValue = 32;

    private readonly ref byte _data = ref MemoryMarshal.GetReference(data);
    private nint _next;
    private ulong _bits;
    private int _count;
    private bool _isDamaged;

    /// <summary>Row by row, where the coefficients stand that files have in zigzag order.</summary>
    private static ReadOnlySpan<byte> Places =>
        [
            0,
            1,
            8,
            16,
            9,
            2,
            3,
            10,
            17,
            24,
            32,
            25,
            18,
            11,
            4,
            5,
            12,
            19,
            26,
            33,
            40,
            48,
            41,
            34,
            27,
            20,
            13,
            6,
            7,
            14,
            21,
            28,
            35,
            42,
            49,
            56,
            57,
            50,
            43,
            36,
            29,
            22,
            15,
            23,
            30,
            37,
            44,
            51,
            58,
            59,
            52,
            45,
            38,
            31,
            39,
            46,
            53,
            60,
            61,
            54,
            47,
            55,
            62,
            63,
        ];

    /// <summary>Goes on at a byte: the beginning, or what follows a restart.</summary>
    public void Start(int at) => (_next, _bits, _count) = (at, 0, 0);

    /// <summary>Whether all that was read lies before a byte, and made sense.</summary>
    public readonly bool IsInside(int end) => !_isDamaged && (_next * 8) - _count <= (nint)end * 8;

    /// <summary>Reads a block.</summary>
    /// <param name="first">Codes of first coefficients.</param>
    /// <param name="other">Codes of the others.</param>
    /// <param name="steps">64 quantisation steps, in zigzag order.</param>
    /// <param name="previous">The first coefficient of the block before, which becomes this block's, without its step.</param>
    /// <param name="block">64 coefficients, row by row, all zero; those that are not become the file's, times their steps.</param>
    /// <returns>How many coefficients, in zigzag order, hold all that are not zero.</returns>
    public int ReadBlock(HuffmanTable first, HuffmanTable other, ref ushort steps, ref int previous, ref int block)
    {
        ref var places = ref MemoryMarshal.GetReference(Places);
        var (next, bits, count) = (_next, _bits, _count);
        Fill(ref next, ref bits, ref count);
        var entry = first.Entries[bits >> (64 - HuffmanTable.WordBits)];
        if (entry == 0)
        {
            entry = FindLong(first, bits);
        }

        previous += Value(bits, entry);
        bits <<= (int)(entry & 63);
        count -= (int)(entry & 63);
        block = previous * steps;

        ref var entries = ref MemoryMarshal.GetArrayDataReference(other.Entries);
        var k = 1;
        do
        {
            if (count < BitsOfLongestValue)
            {
                Fill(ref next, ref bits, ref count);
            }

            entry = Unsafe.Add(ref entries, (nint)(bits >> (64 - HuffmanTable.WordBits)));
            if (entry == 0)
            {
                entry = FindLong(other, bits);
            }

            var value = Value(bits, entry);
            bits <<= (int)(entry & 63);
            count -= (int)(entry & 63);
            var zeros = (int)(entry >> 20);
            if ((entry & 0xF0000) == 0)
            {
                // No value: sixteen zeros, or the end.
                if (zeros != 15)
                {
                    break;
                }

                k += 16;
                continue;
            }

            k += zeros;
            // A damaged file may go beyond the last by fifteen.
            var at = Math.Min(k, 63);
            Unsafe.Add(ref block, (nint)Unsafe.Add(ref places, at)) = value * Unsafe.Add(ref steps, at);
            k++;
        } while (k < 64);

        (_next, _bits, _count) = (next, bits, count);
        return Math.Min(k, 64);
    }

    /// <summary>Makes it 56 bits or more that are known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Fill(ref nint next, ref ulong bits, ref int count)
    {
        var eight = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref _data, next));
        bits |= (BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(eight) : eight) >> count;
        next += (63 - count) >> 3;
        count |= 56;
    }

    /// <summary>The value behind a code: in the lower half of what its length allows it is negative (T.81, F.2.2.1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Value(ulong bits, uint entry)
    {
        var size = (int)(entry >> 16) & 15;
        var behind = (long)(bits << ((int)(entry >> 8) & 31));
        // Shifted by 64 bits in two steps, for a size of zero.
        var value = (int)((ulong)behind >> 1 >> (63 - size));
        return value + ((int)(~behind >> 63) & ((-1 << size) + 1));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint FindLong(HuffmanTable table, ulong bits)
    {
        var entry = table.FindLong(bits);
        // Where no code begins so, one bit is passed over, as an end of the block.
        _isDamaged |= entry == 0;
        return entry == 0 ? 0x101u : entry;
    }
}
