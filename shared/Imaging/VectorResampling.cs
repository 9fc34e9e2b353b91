using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Distributed.Imaging;

/// <summary>
/// The passes of <see cref="Resampler"/> in vectors of AVX2. A weight is cut into an upper and a lower part that 16 bits hold, so that one instruction
/// multiplies sixteen bytes and adds pairs of them; the sums of both parts, joined, are the exact ones.
/// </summary>
internal static class VectorResampling
{
    private const int LowerBits = 11;

    /// <summary>Positions that one vector takes in the horizontal pass.</summary>
    private const int Together = 4;

    /// <summary>Rows that share the loads of weights.</summary>
    private const int RowsAtOnce = 4;

    /// <summary>Whether this processor has what it takes.</summary>
    public static bool IsSupported => Avx2.IsSupported;

    /// <inheritdoc cref="PortableResampling.ResampleRows"/>
    public static void ResampleRows(RgbaImage image, ResampleWeights weights, int firstRow, RgbRows target)
    {
        var groups = (weights.Most + Together - 1) / Together;
        var packed = ArrayPool<short>.Shared.Rent(weights.Count * groups * 2 * Vector256<short>.Count);
        try
        {
            PackForRows(weights, groups, packed);
            ref var pixels = ref image.Row(firstRow)[0];
            ref var output = ref target.Bytes[0];
            var last = target.Count - 1;
            for (var y = 0; y < target.Count; y += RowsAtOnce)
            {
                // At the end the last row is computed again.
                ResampleFour(
                    ref pixels,
                    new Four(
                        y * image.Stride,
                        Math.Min(y + 1, last) * image.Stride,
                        Math.Min(y + 2, last) * image.Stride,
                        Math.Min(y + 3, last) * image.Stride
                    ),
                    weights,
                    ref packed[0],
                    groups,
                    ref output,
                    new Four(
                        y * target.Stride,
                        Math.Min(y + 1, last) * target.Stride,
                        Math.Min(y + 2, last) * target.Stride,
                        Math.Min(y + 3, last) * target.Stride
                    )
                );
            }
        }
        finally
        {
            ArrayPool<short>.Shared.Return(packed);
        }
    }

    /// <inheritdoc cref="PortableResampling.ResampleColumns"/>
    public static void ResampleColumns(RgbRows source, ResampleWeights weights, int firstRow, Span<byte> target)
    {
        var bytes = source.Width * 3;
        var pairs = (weights.Most + 1) / 2;
        var packed = ArrayPool<int>.Shared.Rent(2 * pairs);
        var row = PixelMemory.Rent(source.Stride);
        try
        {
            for (var y = 0; y < weights.Count; y++)
            {
                PackForColumn(weights.Of(y), packed);
                ref var first = ref source.Row(weights.First[y] - firstRow)[0];
                var count = weights.Length[y];
                for (var x = 0; x < bytes; x += Vector128<byte>.Count)
                {
                    Weigh(ref Unsafe.Add(ref first, x), source.Stride, count, ref packed[0]).StoreUnsafe(ref row[x]);
                }

                row.AsSpan(0, bytes).CopyTo(target[(y * bytes)..]);
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(packed);
            PixelMemory.Return(row);
        }
    }

    /// <summary>Weights of four positions as one vector of upper and one of lower parts: a pair for each of a pixel's four bytes, twice.</summary>
    private static void PackForRows(ResampleWeights weights, int groups, short[] packed)
    {
        var target = MemoryMarshal.Cast<short, int>(packed.AsSpan());
        for (var x = 0; x < weights.Count; x++)
        {
            var ofX = weights.Of(x);
            for (var position = 0; position < groups * Together; position += 2)
            {
                var (upper, lower) = Pair(ofX, position);
                // The second pair of a group goes to the upper half of its vectors.
                var at = ((((x * groups) + (position / Together)) * 2) * 8) + (position % Together * 2);
                target.Slice(at, 4).Fill(upper);
                target.Slice(at + 8, 4).Fill(lower);
            }
        }
    }

    private static void PackForColumn(ReadOnlySpan<int> weights, int[] packed)
    {
        for (var position = 0; position < weights.Length; position += 2)
        {
            (packed[position], packed[position + 1]) = Pair(weights, position);
        }
    }

    /// <summary>Two weights, each 16 bits of a number; what is not there is zero.</summary>
    private static (int Upper, int Lower) Pair(ReadOnlySpan<int> weights, int position)
    {
        var first = position < weights.Length ? weights[position] : 0;
        var second = position + 1 < weights.Length ? weights[position + 1] : 0;
        const int Mask = (1 << LowerBits) - 1;
        return (((first >> LowerBits) & 0xFFFF) | (second >> LowerBits << 16), (first & Mask) | ((second & Mask) << 16));
    }

    private static void ResampleFour(
        ref byte pixels,
        Four rows,
        ResampleWeights weights,
        ref short packed,
        int groups,
        ref byte output,
        Four outputRows
    )
    {
        for (var x = 0; x < weights.Count; x++)
        {
            ref var source = ref Unsafe.Add(ref pixels, weights.First[x] * RgbaImage.PixelBytes);
            ref var parts = ref Unsafe.Add(ref packed, x * groups * 2 * Vector256<short>.Count);
            var (upper0, upper1, upper2, upper3) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
            var (lower0, lower1, lower2, lower3) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
            for (var left = weights.Length[x]; left > 0; left -= Together)
            {
                var upper = Vector256.LoadUnsafe(ref parts);
                var lower = Vector256.LoadUnsafe(ref parts, (nuint)Vector256<short>.Count);
                var pair = Pairs(ref Unsafe.Add(ref source, rows.A));
                upper0 += Avx2.MultiplyAddAdjacent(pair, upper);
                lower0 += Avx2.MultiplyAddAdjacent(pair, lower);
                pair = Pairs(ref Unsafe.Add(ref source, rows.B));
                upper1 += Avx2.MultiplyAddAdjacent(pair, upper);
                lower1 += Avx2.MultiplyAddAdjacent(pair, lower);
                pair = Pairs(ref Unsafe.Add(ref source, rows.C));
                upper2 += Avx2.MultiplyAddAdjacent(pair, upper);
                lower2 += Avx2.MultiplyAddAdjacent(pair, lower);
                pair = Pairs(ref Unsafe.Add(ref source, rows.D));
                upper3 += Avx2.MultiplyAddAdjacent(pair, upper);
                lower3 += Avx2.MultiplyAddAdjacent(pair, lower);
                source = ref Unsafe.Add(ref source, Together * RgbaImage.PixelBytes);
                parts = ref Unsafe.Add(ref parts, 2 * Vector256<short>.Count);
            }

            var four = Sse2.PackUnsignedSaturate(
                    Sse2.PackSignedSaturate(Sum(upper0, lower0), Sum(upper1, lower1)),
                    Sse2.PackSignedSaturate(Sum(upper2, lower2), Sum(upper3, lower3))
                )
                .AsUInt32();
            // A pixel's fourth byte is written again by the next one.
            ref var target = ref Unsafe.Add(ref output, 3 * x);
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, outputRows.A), four.GetElement(0));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, outputRows.B), four.GetElement(1));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, outputRows.C), four.GetElement(2));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, outputRows.D), four.GetElement(3));
        }
    }

    /// <summary>Four pixels as 16-bit numbers: of two pixels both reds, both greens, both blues and what counts for nothing, then of the other two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Pairs(ref byte pixels) =>
        Avx2.ConvertToVector256Int16(
            Ssse3.Shuffle(Vector128.LoadUnsafe(ref pixels), Vector128.Create((byte)0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15))
        );

    /// <summary>A pixel of the sums of its parts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Sum(Vector256<int> upper, Vector256<int> lower)
    {
        var both = Vector256.ShiftLeft(upper, LowerBits) + lower;
        return Rounded(both.GetLower() + both.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Rounded(Vector128<int> sum) =>
        Vector128.ShiftRightArithmetic(sum + Vector128.Create(1 << (ResampleWeights.FractionalBits - 1)), ResampleWeights.FractionalBits);

    /// <summary>Sixteen bytes of a row of the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Weigh(ref byte first, int stride, int count, ref int packed)
    {
        var (upper0, upper1, lower0, lower1) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
        for (var position = 0; position < count; position += 2)
        {
            var one = Vector128.LoadUnsafe(ref first);
            // What has no partner has it with the weight zero.
            var other = position + 1 < count ? Vector128.LoadUnsafe(ref Unsafe.Add(ref first, stride)) : one;
            var upper = Vector256.Create(Unsafe.Add(ref packed, position)).AsInt16();
            var lower = Vector256.Create(Unsafe.Add(ref packed, position + 1)).AsInt16();
            var pairs = Avx2.ConvertToVector256Int16(Sse2.UnpackLow(one, other));
            upper0 += Avx2.MultiplyAddAdjacent(pairs, upper);
            lower0 += Avx2.MultiplyAddAdjacent(pairs, lower);
            pairs = Avx2.ConvertToVector256Int16(Sse2.UnpackHigh(one, other));
            upper1 += Avx2.MultiplyAddAdjacent(pairs, upper);
            lower1 += Avx2.MultiplyAddAdjacent(pairs, lower);
            first = ref Unsafe.Add(ref first, 2 * stride);
        }

        var (left, right) = (Vector256.ShiftLeft(upper0, LowerBits) + lower0, Vector256.ShiftLeft(upper1, LowerBits) + lower1);
        return Sse2.PackUnsignedSaturate(
            Sse2.PackSignedSaturate(Rounded(left.GetLower()), Rounded(left.GetUpper())),
            Sse2.PackSignedSaturate(Rounded(right.GetLower()), Rounded(right.GetUpper()))
        );
    }

    /// <summary>Where four rows begin.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Four(nint A, nint B, nint C, nint D);
}
