namespace Distributed.Datasets.Imaging;

/// <summary>
/// What of an image survives another size, format, brightness or a mirror: its grey values on a coarse grid, with mean 0 and length 1. Of two versions of one
/// picture the correlation is near 1; of two pictures it is not, even where a network finds them alike.
/// </summary>
public sealed class PixelSignature
{
    private const int Side = 32;

    private readonly float[] _values;
    private readonly float[] _mirrored;

    private PixelSignature(float[] values, float[] mirrored) => (_values, _mirrored) = (values, mirrored);

    /// <summary>Makes it of a square image.</summary>
    /// <param name="pixels">RGB, row by row: size × size × 3 bytes.</param>
    /// <param name="size">Side in pixels.</param>
    public static PixelSignature Of(ReadOnlySpan<byte> pixels, int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, size * size * 3);
        var sums = new double[Side * Side];
        var counts = new int[Side * Side];
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                var cell = (y * Side / size * Side) + (x * Side / size);
                var pixel = ((y * size) + x) * 3;
                sums[cell] += pixels[pixel] + pixels[pixel + 1] + pixels[pixel + 2];
                counts[cell]++;
            }
        }

        // A small image leaves cells empty, the same in every image of its size.
        var filled = counts.Count(count => count > 0);
        var values = new float[Side * Side];
        for (var cell = 0; cell < values.Length; cell++)
        {
            values[cell] = counts[cell] == 0 ? 0 : (float)(sums[cell] / counts[cell]);
        }

        var mean = values.Sum(value => (double)value) / filled;
        for (var cell = 0; cell < values.Length; cell++)
        {
            values[cell] = counts[cell] == 0 ? 0 : (float)(values[cell] - mean);
        }

        var length = MathF.Sqrt(Dot(values, values));
        for (var cell = 0; cell < values.Length; cell++)
        {
            values[cell] = length > 0 ? values[cell] / length : 0;
        }

        var mirrored = new float[values.Length];
        for (var row = 0; row < Side; row++)
        {
            values.AsSpan(row * Side, Side).CopyTo(mirrored.AsSpan(row * Side));
            mirrored.AsSpan(row * Side, Side).Reverse();
        }

        return new PixelSignature(values, mirrored);
    }

    /// <summary>How alike two images are, the one as it is or mirrored.</summary>
    /// <returns>-1 to 1; 0 for an image of one colour.</returns>
    public float Correlate(PixelSignature other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Math.Max(Dot(_values, other._values), Dot(_values, other._mirrored));
    }

    private static float Dot(float[] left, float[] right)
    {
        var sum = 0.0;
        for (var cell = 0; cell < left.Length; cell++)
        {
            sum += (double)left[cell] * right[cell];
        }

        return (float)sum;
    }
}
