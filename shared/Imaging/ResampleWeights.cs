namespace Distributed.Imaging;

/// <summary>For each output position: the first input position that counts, how many do, and their weights.</summary>
internal sealed class ResampleWeights(int stride, int count)
{
    private readonly int[] _values = new int[stride * count];

    /// <summary>Fractional bits of a weight.</summary>
    public const int FractionalBits = 22;

    /// <summary>The first input position that counts for each output position.</summary>
    public int[] First { get; } = new int[count];

    /// <summary>How many do.</summary>
    public int[] Length { get; } = new int[count];

    /// <summary>Number of output positions.</summary>
    public int Count => count;

    /// <summary>The most input positions that count for one.</summary>
    public int Most => Length.Max();

    /// <summary>Whether input and output have the same size, so that every pixel is its own.</summary>
    public bool AreIdentity { get; private init; }

    /// <summary>The weights for an output position.</summary>
    public ReadOnlySpan<int> Of(int position) => _values.AsSpan(position * stride, Length[position]);

    /// <summary>Computes the weights for a stretch of an output, as PIL does.</summary>
    /// <param name="inputSize">Pixels that come in.</param>
    /// <param name="outputSize">Pixels that come out.</param>
    /// <param name="first">The first output position.</param>
    /// <param name="count">Number of output positions.</param>
    /// <param name="filter">The kernel.</param>
    public static ResampleWeights Compute(int inputSize, int outputSize, int first, int count, ResampleFilter filter)
    {
        var scale = (double)inputSize / outputSize;
        var widening = Math.Max(scale, 1.0);
        var narrowing = 1.0 / widening;
        var support = widening * (filter == ResampleFilter.Bicubic ? 2.0 : 1.0);
        var result = new ResampleWeights((2 * (int)Math.Ceiling(support)) + 1, count) { AreIdentity = inputSize == outputSize };
        for (var i = 0; i < count; i++)
        {
            if (result.AreIdentity)
            {
                (result.First[i], result.Length[i]) = (first + i, 1);
                continue;
            }

            var centre = (first + i + 0.5) * scale;
            var begin = Math.Max((int)(centre - support + 0.5), 0);
            (result.First[i], result.Length[i]) = (begin, Math.Min((int)(centre + support + 0.5), inputSize) - begin);
            result.SetNormalized(i, centre, narrowing, filter);
        }

        return result;
    }

    private void SetNormalized(int position, double centre, double narrowing, ResampleFilter filter)
    {
        var exact = new double[Length[position]];
        var total = 0.0;
        for (var k = 0; k < exact.Length; k++)
        {
            exact[k] = Kernel(filter, (First[position] + k - centre + 0.5) * narrowing);
            total += exact[k];
        }

        for (var k = 0; k < exact.Length; k++)
        {
            var value = exact[k] / total * (1 << FractionalBits);
            _values[(position * stride) + k] = (int)(value < 0 ? value - 0.5 : value + 0.5);
        }
    }

    private static double Kernel(ResampleFilter filter, double x)
    {
        x = Math.Abs(x);
        if (filter == ResampleFilter.Bilinear)
        {
            return x < 1.0 ? 1.0 - x : 0.0;
        }

        // Keys 1981, with the terms in the order of PIL's: rounding depends on it.
        const double A = -0.5;
        return x < 1.0 ? ((((A + 2.0) * x) - (A + 3.0)) * x * x) + 1
            : x < 2.0 ? ((((x - 5) * x) + 8) * x - 4) * A
            : 0.0;
    }
}
