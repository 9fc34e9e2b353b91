namespace Distributed.Fuzzing;

/// <summary>Numbers that follow from a seed, a parser's name and an input's index alone, so that any input can be made again.</summary>
/// <remarks>SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.</remarks>
internal sealed class FuzzRandom
{
    private ulong _state;

    public FuzzRandom(ulong seed, string parser, long index)
    {
        Index = index;
        _state = seed;
        foreach (var character in parser)
        {
            _state = Next() ^ character;
        }

        _state = Next() ^ (ulong)index;
    }

    /// <summary>The input's number.</summary>
    public long Index { get; }

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>0 to <paramref name="end"/> - 1.</summary>
    public int Below(int end) => (int)(((Next() >> 32) * (ulong)end) >> 32);

    public bool OneIn(int count) => Below(count) == 0;

    public byte Byte() => (byte)Next();

    public T Pick<T>(IReadOnlyList<T> values) => values[Below(values.Count)];

    /// <summary>Mostly small: each bit length up to <paramref name="bits"/> is as likely.</summary>
    public long Magnitude(int bits)
    {
        var length = Below(bits + 1);
        return length == 0 ? 0 : (long)(Next() >> (64 - length));
    }

    public byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i += 8)
        {
            var value = Next();
            for (var j = i; j < Math.Min(i + 8, length); j++, value >>= 8)
            {
                bytes[j] = (byte)value;
            }
        }

        return bytes;
    }
}
