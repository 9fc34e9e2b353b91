using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Imaging;

/// <summary>The kernel of a resampling.</summary>
public enum ResampleFilter
{
    /// <summary>Triangle kernel, support 1.</summary>
    Bilinear,

    /// <summary>Keys' cubic kernel with a = -0.5, support 2.</summary>
    Bicubic,
}

/// <summary>
/// Resamples 8-bit RGB images with the arithmetic of PIL's <c>Image.resize</c>, bit for bit: a separable kernel that widens when shrinking
/// (so that it does not alias), weights in fixed point with 22 fractional bits, the horizontal pass first, rounded to bytes between the passes.
/// </summary>
public static class Resampler
{
    private const int FractionalBits = 22;

    /// <summary>Resizes an image, and returns a window of the result; only what the window needs is computed.</summary>
    /// <param name="image">The source.</param>
    /// <param name="width">Width of the whole result, in pixels.</param>
    /// <param name="height">Height of the whole result, in pixels.</param>
    /// <param name="filter">The kernel.</param>
    /// <param name="left">First column of the window.</param>
    /// <param name="top">First row of the window.</param>
    /// <param name="windowWidth">Columns of the window.</param>
    /// <param name="windowHeight">Rows of the window.</param>
    /// <returns>An image of the window's size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive, or the window leaves the result.</exception>
    public static RgbImage Resize(
        RgbImage image,
        int width,
        int height,
        ResampleFilter filter,
        int left,
        int top,
        int windowWidth,
        int windowHeight
    )
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(windowWidth);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(windowHeight);
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(left, width - windowWidth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, height - windowHeight);

        // The weights cost about as much as two rows of pixels, so they are not worth a cache.
        var columns = Weights.Compute(image.Width, width, left, windowWidth, filter);
        var rows = Weights.Compute(image.Height, height, top, windowHeight, filter);
        var firstRow = rows.First[0];
        var rowCount = rows.First[^1] + rows.Length[^1] - firstRow;

        // A pass between equal sizes would have the weight 1 everywhere: copying is the same and exact.
        var between =
            width == image.Width
                ? CopyColumns(image, left, windowWidth, firstRow, rowCount)
                : ResampleRows(image, columns, windowWidth, firstRow, rowCount);
        return new RgbImage(windowWidth, windowHeight, ResampleColumns(between, windowWidth * 3, rows, firstRow, windowHeight));
    }

    /// <summary>Resizes a whole image.</summary>
    /// <inheritdoc cref="Resize(RgbImage, int, int, ResampleFilter, int, int, int, int)"/>
    public static RgbImage Resize(RgbImage image, int width, int height, ResampleFilter filter) =>
        Resize(image, width, height, filter, 0, 0, width, height);

    private static byte[] CopyColumns(RgbImage image, int left, int count, int firstRow, int rowCount)
    {
        var target = GC.AllocateUninitializedArray<byte>(rowCount * count * 3);
        for (var row = 0; row < rowCount; row++)
        {
            image.Pixels.AsSpan((((firstRow + row) * image.Width) + left) * 3, count * 3).CopyTo(target.AsSpan(row * count * 3));
        }

        return target;
    }

    private static byte[] ResampleRows(RgbImage image, Weights weights, int windowWidth, int firstRow, int rowCount)
    {
        var target = GC.AllocateUninitializedArray<byte>(rowCount * windowWidth * 3);
        var stride = image.Width * 3;
        // Pixels are loaded as four bytes, of which the last is the next pixel's: the row needs one more at its end.
        var row = new byte[stride + 1];
        for (var y = 0; y < rowCount; y++)
        {
            image.Pixels.AsSpan((firstRow + y) * stride, stride).CopyTo(row);
            ResampleRow(row, weights, target.AsSpan(y * windowWidth * 3, windowWidth * 3));
        }

        return target;
    }

    private static void ResampleRow(ReadOnlySpan<byte> row, Weights weights, Span<byte> output)
    {
        ref var first = ref MemoryMarshal.GetReference(row);
        for (var x = 0; x < weights.First.Length; x++)
        {
            var ofX = weights.Of(x);
            // Every pixel that counts lies in the row, and a byte behind it.
            ref var source = ref Unsafe.Add(ref first, weights.First[x] * 3);
            var (even, odd) = (Vector128.Create(1 << (FractionalBits - 1)), Vector128<int>.Zero);
            var k = 0;
            for (; k < ofX.Length - 1; k += 2)
            {
                even += Pixel(ref source, k) * ofX[k];
                odd += Pixel(ref source, k + 1) * ofX[k + 1];
            }

            if (k < ofX.Length)
            {
                even += Pixel(ref source, k) * ofX[k];
            }

            var value = Vector128.Clamp(
                Vector128.ShiftRightArithmetic(even + odd, FractionalBits),
                Vector128<int>.Zero,
                Vector128.Create(255)
            );
            output[x * 3] = (byte)value[0];
            output[(x * 3) + 1] = (byte)value[1];
            output[(x * 3) + 2] = (byte)value[2];
        }
    }

    private static Vector128<int> Pixel(ref byte source, int number)
    {
        var four = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref source, number * 3));
        return Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(four).AsByte())).AsInt32();
    }

    private static byte[] ResampleColumns(byte[] source, int stride, Weights weights, int firstRow, int windowHeight)
    {
        if (weights.AreIdentity)
        {
            return source;
        }

        var target = GC.AllocateUninitializedArray<byte>(windowHeight * stride);
        var sums = new int[stride];
        for (var y = 0; y < windowHeight; y++)
        {
            Array.Fill(sums, 1 << (FractionalBits - 1));
            var from = (weights.First[y] - firstRow) * stride;
            foreach (var weight in weights.Of(y))
            {
                AddWeighted(source.AsSpan(from, stride), weight, sums);
                from += stride;
            }

            var output = target.AsSpan(y * stride, stride);
            for (var x = 0; x < output.Length; x++)
            {
                output[x] = (byte)Math.Clamp(sums[x] >> FractionalBits, 0, 255);
            }
        }

        return target;
    }

    private static void AddWeighted(ReadOnlySpan<byte> row, int weight, Span<int> sums)
    {
        var x = 0;
        for (; x <= row.Length - Vector128<byte>.Count; x += Vector128<byte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Create(row.Slice(x, Vector128<byte>.Count)));
            Add(Vector128.WidenLower(low), weight, sums[x..]);
            Add(Vector128.WidenUpper(low), weight, sums[(x + 4)..]);
            Add(Vector128.WidenLower(high), weight, sums[(x + 8)..]);
            Add(Vector128.WidenUpper(high), weight, sums[(x + 12)..]);
        }

        for (; x < row.Length; x++)
        {
            sums[x] += row[x] * weight;
        }
    }

    private static void Add(Vector128<uint> values, int weight, Span<int> sums)
    {
        var four = sums[..Vector128<int>.Count];
        (Vector128.Create<int>(four) + (values.AsInt32() * weight)).CopyTo(four);
    }

    /// <summary>For each output position: the first input position that counts, how many do, and their weights.</summary>
    private sealed class Weights(int stride, int count)
    {
        private readonly int[] _values = new int[stride * count];

        public int[] First { get; } = new int[count];

        public int[] Length { get; } = new int[count];

        public bool AreIdentity { get; private init; }

        public ReadOnlySpan<int> Of(int position) => _values.AsSpan(position * stride, Length[position]);

        public static Weights Compute(int inputSize, int outputSize, int first, int count, ResampleFilter filter)
        {
            var scale = (double)inputSize / outputSize;
            var widening = Math.Max(scale, 1.0);
            var narrowing = 1.0 / widening;
            var support = widening * (filter == ResampleFilter.Bicubic ? 2.0 : 1.0);
            var result = new Weights((2 * (int)Math.Ceiling(support)) + 1, count) { AreIdentity = inputSize == outputSize };
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
}
