namespace Distributed.Datasets.Sources;

/// <summary>SplitMix64 (Steele, Lea and Flood 2014): small, and the same numbers on every platform and in every version.</summary>
internal sealed class SampleRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A generator for one item, unrelated to those of its neighbours.</summary>
    public static SampleRandom For(int seed, int stream, int item) =>
        new(new SampleRandom(new SampleRandom((uint)seed).Next() ^ ((ulong)(uint)stream << 32) ^ (uint)item).Next());

    public ulong Next()
    {
        var mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>Uniform in [0, 1), in steps of 2⁻⁵³.</summary>
    public double Job() => (Next() >> 11) * (1.0 / (1UL << 53));

    public double Between(double low, double high) => low + ((high - low) * Job());

    /// <summary>Uniform in [0, count).</summary>
    public int Below(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    /// <summary>A direction in the plane. Without sine and cosine, whose last bits differ between platforms.</summary>
    public (double X, double Y) Direction()
    {
        while (true)
        {
            var (x, y) = (Between(-1, 1), Between(-1, 1));
            var square = (x * x) + (y * y);
            if (square is > 0.01 and <= 1)
            {
                var length = Math.Sqrt(square);
                return (x / length, y / length);
            }
        }
    }

    /// <summary>A direction close to the right: up to so far aside on a way of one.</summary>
    public (double X, double Y) Tilt(double most)
    {
        var aside = Between(-most, most);
        var length = Math.Sqrt(1 + (aside * aside));
        return (1 / length, aside / length);
    }

    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var other = Below(i + 1);
            (items[i], items[other]) = (items[other], items[i]);
        }
    }
}
