using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Imaging;

/// <summary>The passes of <see cref="Resampler"/> on any processor.</summary>
internal static class PortableResampling
{
    /// <summary>The horizontal pass.</summary>
    /// <param name="image">The source.</param>
    /// <param name="weights">Weights of its columns.</param>
    /// <param name="firstRow">The first row that is needed.</param>
    /// <param name="target">Receives a row for each that is needed.</param>
    public static void ResampleRows(RgbaImage image, ResampleWeights weights, int firstRow, RgbRows target)
    {
        for (var y = 0; y < target.Count; y++)
        {
            ResampleRow(image.Row(firstRow + y), weights, target.Row(y));
        }
    }

    /// <summary>The vertical pass.</summary>
    /// <param name="source">The rows of the horizontal pass.</param>
    /// <param name="weights">Weights of the image's rows.</param>
    /// <param name="firstRow">The image's row that is the first of the source.</param>
    /// <param name="target">Receives the pixels, row by row.</param>
    public static void ResampleColumns(RgbRows source, ResampleWeights weights, int firstRow, Span<byte> target)
    {
        var bytes = source.Width * 3;
        var sums = new int[bytes];
        for (var y = 0; y < weights.Count; y++)
        {
            Array.Fill(sums, 1 << (ResampleWeights.FractionalBits - 1));
            var row = weights.First[y] - firstRow;
            foreach (var weight in weights.Of(y))
            {
                AddWeighted(source.Row(row++)[..bytes], weight, sums);
            }

            for (var x = 0; x < bytes; x++)
            {
                target[(y * bytes) + x] = (byte)Math.Clamp(sums[x] >> ResampleWeights.FractionalBits, 0, 255);
            }
        }
    }

    private static void ResampleRow(ReadOnlySpan<byte> row, ResampleWeights weights, Span<byte> output)
    {
        ref var first = ref MemoryMarshal.GetReference(row);
        for (var x = 0; x < weights.Count; x++)
        {
            // Every pixel that counts lies in the row.
            ref var source = ref Unsafe.Add(ref first, weights.First[x] * RgbaImage.PixelBytes);
            var sum = Vector128.Create(1 << (ResampleWeights.FractionalBits - 1));
            foreach (var weight in weights.Of(x))
            {
                sum += Pixel(ref source) * weight;
                source = ref Unsafe.Add(ref source, RgbaImage.PixelBytes);
            }

            var value = Vector128.Clamp(
                Vector128.ShiftRightArithmetic(sum, ResampleWeights.FractionalBits),
                Vector128<int>.Zero,
                Vector128.Create(255)
            );
            output[x * 3] = (byte)value[0];
            output[(x * 3) + 1] = (byte)value[1];
            output[(x * 3) + 2] = (byte)value[2];
        }
    }

    private static Vector128<int> Pixel(ref byte source)
    {
        var four = Unsafe.ReadUnaligned<uint>(ref source);
        return Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(four).AsByte())).AsInt32();
    }

    private static void AddWeighted(ReadOnlySpan<byte> row, int weight, Span<int> sums)
    {
        for (var x = 0; x < row.Length; x++)
        {
            sums[x] += row[x] * weight;
        }
    }
}
