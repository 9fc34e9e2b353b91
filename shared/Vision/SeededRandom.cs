namespace Distributed.Vision;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), so that everything drawn here is the
/// same on every device, processor and version of LibTorch, and can be drawn again from its seed alone.
/// </summary>
/// <param name="seed">Where the sequence begins; see <see cref="Hash"/>.</param>
internal struct SeededRandom(ulong seed)
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong _state = seed;

    /// <summary>One seed out of several numbers, each of which changes it entirely.</summary>
    public static ulong Hash(params ReadOnlySpan<long> parts)
    {
        var hash = 0UL;
        foreach (var part in parts)
        {
            hash = Mix(hash + Step + (ulong)part);
        }

        return hash;
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next() => Mix(_state += Step);

    /// <summary>Uniform in [0, 1), with 24 bits.</summary>
    public float NextSingle() => (Next() >> 40) * (1f / (1 << 24));

    /// <summary>Uniform in [0, 1), with 53 bits.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Standard normal (Box and Muller, 1958).</summary>
    public double NextNormal() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Uniform in [0, bound), without bias worth the name: 64 bits are scaled down to at most 31.</summary>
    public int NextIndex(int bound)
    {
        var high = Math.BigMul(Next(), (ulong)bound, out _);
        return (int)high;
    }

    /// <summary>Brings the values into a random order (Fisher and Yates, in Durstenfeld's form).</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (var last = values.Length - 1; last > 0; last--)
        {
            var other = NextIndex(last + 1);
            (values[last], values[other]) = (values[other], values[last]);
        }
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
