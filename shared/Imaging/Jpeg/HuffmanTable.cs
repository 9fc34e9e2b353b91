namespace Distributed.Imaging.Jpeg;

/// <summary>A Huffman code of a JPEG file (ITU-T T.81, annexes C and F.2.2.3), as a table of all words that begin with a code of at most ten bits.</summary>
internal sealed class HuffmanTable
{
    /// <summary>Bits of a word of the table.</summary>
    public const int WordBits = 10;

    private const int LongestCode = 16;

    private readonly long[] _beyond = new long[LongestCode + 2];
    private readonly int[] _offset = new int[LongestCode + 1];
    private readonly byte[] _symbols;

    private HuffmanTable(byte[] symbols) => _symbols = symbols;

    /// <summary>
    /// What stands for each word: bits 0 to 7 the length of code and value together, bits 8 to 15 that of the code, bits 16 to 19 that of the
    /// value, bits 20 to 23 how many zeros go before it; 0 where the code is longer than a word.
    /// </summary>
    public uint[] Entries { get; } = new uint[1 << WordBits];

    /// <summary>Builds the table.</summary>
    /// <param name="counts">How many codes there are of each length from 1 to 16.</param>
    /// <param name="symbols">What they stand for, in the order of the codes.</param>
    /// <returns>Null where there are more codes of a length than it can tell apart.</returns>
    public static HuffmanTable? Create(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols)
    {
        var table = new HuffmanTable(symbols.ToArray());
        var (code, next) = (0, 0);
        for (var length = 1; length <= LongestCode; length++, code <<= 1)
        {
            table._offset[length] = next - code;
            for (var i = 0; i < counts[length - 1]; i++, code++, next++)
            {
                // The word of ones alone begins no code.
                if (code >= (1 << length) - 1)
                {
                    return null;
                }

                if (length <= WordBits)
                {
                    table.Entries.AsSpan(code << (WordBits - length), 1 << (WordBits - length)).Fill(Entry(symbols[next], length));
                }
            }

            // Every code of this length is smaller, at the top of 64 bits, than the first word beyond them.
            table._beyond[length] = (long)code << (LongestCode - length);
        }

        return table;
    }

    /// <summary>Whether every symbol is the length of a value that stands alone, as those of first coefficients are.</summary>
    public bool HasLengthsOnly => Array.TrueForAll(_symbols, symbol => symbol < LongestCode);

    /// <summary>The entry of a code that is longer than a word.</summary>
    /// <param name="bits">The bits that come, from the highest on.</param>
    /// <returns>As in <see cref="Entries"/>; 0 where they begin with no code.</returns>
    public uint FindLong(ulong bits)
    {
        var word = (long)(bits >> (64 - LongestCode));
        for (var length = WordBits + 1; length <= LongestCode; length++)
        {
            if (word < _beyond[length])
            {
                return Entry(_symbols[(int)(word >> (LongestCode - length)) + _offset[length]], length);
            }
        }

        return 0;
    }

    private static uint Entry(int symbol, int length)
    {
        var size = symbol & 15;
        return (uint)(((symbol >> 4) << 20) | (size << 16) | (length << 8) | (length + size));
    }
}
