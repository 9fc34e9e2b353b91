using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Distributed.Imaging.Jpeg;

/// <summary>
/// The inverse discrete cosine transform of a block, to 8 × 8, 4 × 4, 2 × 2 samples or one, with the arithmetic of libjpeg, bit for bit: 13
/// fractional bits in factors and 2 between the passes, columns first.
/// </summary>
/// <remarks>
/// Loeffler, Ligtenberg and Moschytz, 1989, as libjpeg's <c>jidctint.c</c> has it; the smaller ones are its <c>jidctred.c</c>. A sum that no picture gives
/// saturates, as in libjpeg's vector code, which PIL uses.
/// </remarks>
internal static class InverseTransform
{
    private const int FactorBits = 13;
    private const int PassBits = 2;
    private const int Middle = 128;

    /// <summary>Transforms a block that has more than its first coefficient.</summary>
    /// <param name="block">64 coefficients, row by row.</param>
    /// <param name="size">Samples of a side: 8, 4 or 2.</param>
    /// <param name="samples">The first sample.</param>
    /// <param name="stride">Samples from a row to the next.</param>
    public static void Transform(ref int block, int size, ref byte samples, nint stride)
    {
        switch (size)
        {
            case 8:
                ToEight(ref block, ref samples, stride);
                break;
            case 4:
                ToFour(ref block, ref samples, stride);
                break;
            default:
                ToTwo(ref block, ref samples, stride);
                break;
        }
    }

    /// <summary>Transforms a block that has only its first coefficient, or is wanted as one sample.</summary>
    /// <inheritdoc cref="Transform"/>
    public static void Fill(int first, int size, ref byte samples, nint stride)
    {
        var sample = (byte)Math.Clamp(((first + 4) >> 3) + Middle, 0, 255);
        for (var row = 0; row < size; row++)
        {
            ref var target = ref Unsafe.Add(ref samples, row * stride);
            switch (size)
            {
                case 8:
                    Unsafe.WriteUnaligned(ref target, sample * 0x0101010101010101UL);
                    break;
                case 4:
                    Unsafe.WriteUnaligned(ref target, sample * 0x01010101U);
                    break;
                case 2:
                    Unsafe.WriteUnaligned(ref target, (ushort)(sample * 0x0101));
                    break;
                default:
                    target = sample;
                    break;
            }
        }
    }

    private static void ToEight(ref int block, ref byte samples, nint stride)
    {
        var (a, b, c, d) = (Row(ref block, 0), Row(ref block, 1), Row(ref block, 2), Row(ref block, 3));
        var (e, f, g, h) = (Row(ref block, 4), Row(ref block, 5), Row(ref block, 6), Row(ref block, 7));
        Pass(ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, 1 << (FactorBits - PassBits - 1), FactorBits - PassBits);
        Transpose(ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h);
        const int Shift = FactorBits + PassBits + 3;
        Pass(ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, (1 << (Shift - 1)) + (Middle << Shift), Shift);

        // Each vector is a column now: four bytes of every row in one of two vectors, then eight.
        var order = Vector256.Create(
            (byte)0,
            4,
            8,
            12,
            1,
            5,
            9,
            13,
            2,
            6,
            10,
            14,
            3,
            7,
            11,
            15,
            0,
            4,
            8,
            12,
            1,
            5,
            9,
            13,
            2,
            6,
            10,
            14,
            3,
            7,
            11,
            15
        );
        var left = Avx2.Shuffle(Avx2.PackUnsignedSaturate(Avx2.PackSignedSaturate(a, b), Avx2.PackSignedSaturate(c, d)), order);
        var right = Avx2.Shuffle(Avx2.PackUnsignedSaturate(Avx2.PackSignedSaturate(e, f), Avx2.PackSignedSaturate(g, h)), order);
        var low = Avx2.UnpackLow(left.AsInt32(), right.AsInt32()).AsUInt64();
        var high = Avx2.UnpackHigh(left.AsInt32(), right.AsInt32()).AsUInt64();
        Store(low.GetLower(), 0, ref samples, stride);
        Store(high.GetLower(), 2, ref samples, stride);
        Store(low.GetUpper(), 4, ref samples, stride);
        Store(high.GetUpper(), 6, ref samples, stride);
    }

    private static void Store(Vector128<ulong> two, int row, ref byte samples, nint stride)
    {
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref samples, row * stride), two.ToScalar());
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref samples, (row + 1) * stride), two.GetElement(1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Row(ref int block, int row) => Vector256.LoadUnsafe(ref block, (nuint)(8 * row));

    /// <summary>One pass over eight columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pass(
        ref Vector256<int> a,
        ref Vector256<int> b,
        ref Vector256<int> c,
        ref Vector256<int> d,
        ref Vector256<int> e,
        ref Vector256<int> f,
        ref Vector256<int> g,
        ref Vector256<int> h,
        int rounding,
        int shift
    )
    {
        // The even part.
        var z1 = (c + g) * 4433;
        var t2 = z1 - (g * 15137);
        var t3 = z1 + (c * 6270);
        var t0 = Vector256.ShiftLeft(a + e, FactorBits) + Vector256.Create(rounding);
        var t1 = Vector256.ShiftLeft(a - e, FactorBits) + Vector256.Create(rounding);
        var (e0, e3, e1, e2) = (t0 + t3, t0 - t3, t1 + t2, t1 - t2);

        // The odd part.
        var z5 = (h + d + f + b) * 9633;
        var z3 = z5 - ((h + d) * 16069);
        var z4 = z5 - ((f + b) * 3196);
        z1 = (h + b) * -7373;
        var z2 = (f + d) * -20995;
        var o0 = (h * 2446) + z1 + z3;
        var o1 = (f * 16819) + z2 + z4;
        var o2 = (d * 25172) + z2 + z3;
        var o3 = (b * 12299) + z1 + z4;

        a = Vector256.ShiftRightArithmetic(e0 + o3, shift);
        b = Vector256.ShiftRightArithmetic(e1 + o2, shift);
        c = Vector256.ShiftRightArithmetic(e2 + o1, shift);
        d = Vector256.ShiftRightArithmetic(e3 + o0, shift);
        e = Vector256.ShiftRightArithmetic(e3 - o0, shift);
        f = Vector256.ShiftRightArithmetic(e2 - o1, shift);
        g = Vector256.ShiftRightArithmetic(e1 - o2, shift);
        h = Vector256.ShiftRightArithmetic(e0 - o3, shift);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(
        ref Vector256<int> a,
        ref Vector256<int> b,
        ref Vector256<int> c,
        ref Vector256<int> d,
        ref Vector256<int> e,
        ref Vector256<int> f,
        ref Vector256<int> g,
        ref Vector256<int> h
    )
    {
        var (ab0, ab1) = (Avx2.UnpackLow(a, b).AsInt64(), Avx2.UnpackHigh(a, b).AsInt64());
        var (cd0, cd1) = (Avx2.UnpackLow(c, d).AsInt64(), Avx2.UnpackHigh(c, d).AsInt64());
        var (ef0, ef1) = (Avx2.UnpackLow(e, f).AsInt64(), Avx2.UnpackHigh(e, f).AsInt64());
        var (gh0, gh1) = (Avx2.UnpackLow(g, h).AsInt64(), Avx2.UnpackHigh(g, h).AsInt64());
        var (a0, a1) = (Avx2.UnpackLow(ab0, cd0).AsInt32(), Avx2.UnpackHigh(ab0, cd0).AsInt32());
        var (a2, a3) = (Avx2.UnpackLow(ab1, cd1).AsInt32(), Avx2.UnpackHigh(ab1, cd1).AsInt32());
        var (e0, e1) = (Avx2.UnpackLow(ef0, gh0).AsInt32(), Avx2.UnpackHigh(ef0, gh0).AsInt32());
        var (e2, e3) = (Avx2.UnpackLow(ef1, gh1).AsInt32(), Avx2.UnpackHigh(ef1, gh1).AsInt32());
        (a, b) = (Avx2.Permute2x128(a0, e0, 0x20), Avx2.Permute2x128(a1, e1, 0x20));
        (c, d) = (Avx2.Permute2x128(a2, e2, 0x20), Avx2.Permute2x128(a3, e3, 0x20));
        (e, f) = (Avx2.Permute2x128(a0, e0, 0x31), Avx2.Permute2x128(a1, e1, 0x31));
        (g, h) = (Avx2.Permute2x128(a2, e2, 0x31), Avx2.Permute2x128(a3, e3, 0x31));
    }

    private static void ToFour(ref int block, ref byte samples, nint stride)
    {
        // Of the columns, the fifth is computed and not used.
        var (even, odd) = Halves(
            Row(ref block, 0),
            Row(ref block, 1),
            Row(ref block, 2),
            Row(ref block, 3),
            Row(ref block, 5),
            Row(ref block, 6),
            Row(ref block, 7)
        );
        const int First = FactorBits - PassBits + 1;
        var half = Vector256.Create(1 << (First - 1));
        var (w0, w3) = (
            Vector256.ShiftRightArithmetic(even.Low + odd.High + half, First),
            Vector256.ShiftRightArithmetic(even.Low - odd.High + half, First)
        );
        var (w1, w2) = (
            Vector256.ShiftRightArithmetic(even.High + odd.Low + half, First),
            Vector256.ShiftRightArithmetic(even.High - odd.Low + half, First)
        );

        // Columns 0 to 3 and 4 to 7 of four rows become vectors of a column: in the lower half one of the first, in the upper half one of the others.
        var (low01, high01) = (Avx2.UnpackLow(w0, w1).AsInt64(), Avx2.UnpackHigh(w0, w1).AsInt64());
        var (low23, high23) = (Avx2.UnpackLow(w2, w3).AsInt64(), Avx2.UnpackHigh(w2, w3).AsInt64());
        var (c0, c1) = (Avx2.UnpackLow(low01, low23).AsInt32(), Avx2.UnpackHigh(low01, low23).AsInt32());
        var (c2, c3) = (Avx2.UnpackLow(high01, high23).AsInt32(), Avx2.UnpackHigh(high01, high23).AsInt32());
        (even, odd) = Halves(
            Widened(c0.GetLower()),
            Widened(c1.GetLower()),
            Widened(c2.GetLower()),
            Widened(c3.GetLower()),
            Widened(c1.GetUpper()),
            Widened(c2.GetUpper()),
            Widened(c3.GetUpper())
        );
        const int Second = FactorBits + PassBits + 3 + 1;
        half = Vector256.Create((1 << (Second - 1)) + (Middle << Second));
        var left = Sse2.PackSignedSaturate(
            Vector256.ShiftRightArithmetic(even.Low + odd.High + half, Second).GetLower(),
            Vector256.ShiftRightArithmetic(even.High + odd.Low + half, Second).GetLower()
        );
        var right = Sse2.PackSignedSaturate(
            Vector256.ShiftRightArithmetic(even.High - odd.Low + half, Second).GetLower(),
            Vector256.ShiftRightArithmetic(even.Low - odd.High + half, Second).GetLower()
        );
        var rows = Ssse3
            .Shuffle(Sse2.PackUnsignedSaturate(left, right), Vector128.Create((byte)0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15))
            .AsUInt32();
        for (var row = 0; row < 4; row++)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref samples, row * stride), rows.GetElement(row));
        }
    }

    private static Vector256<int> Widened(Vector128<int> four) => four.ToVector256Unsafe();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Pair Even, Pair Odd) Halves(
        Vector256<int> r0,
        Vector256<int> r1,
        Vector256<int> r2,
        Vector256<int> r3,
        Vector256<int> r5,
        Vector256<int> r6,
        Vector256<int> r7
    )
    {
        var middle = Vector256.ShiftLeft(r0, FactorBits + 1);
        var slope = (r2 * 15137) - (r6 * 6270);
        return (
            new Pair(middle + slope, middle - slope),
            new Pair((r5 * 11893) + (r1 * 8697) - (r7 * 1730) - (r3 * 17799), (r3 * 7373) + (r1 * 20995) - (r7 * 4176) - (r5 * 4926))
        );
    }

    private static void ToTwo(ref int block, ref byte samples, nint stride)
    {
        // Columns 2, 4 and 6 are computed and not used.
        const int First = FactorBits - PassBits + 2;
        var middle = Vector256.ShiftLeft(Row(ref block, 0), FactorBits + 2) + Vector256.Create(1 << (First - 1));
        var slope = (Row(ref block, 1) * 29692) - (Row(ref block, 3) * 10426) + (Row(ref block, 5) * 6967) - (Row(ref block, 7) * 5906);
        ToTwo(Vector256.ShiftRightArithmetic(middle + slope, First), ref samples);
        ToTwo(Vector256.ShiftRightArithmetic(middle - slope, First), ref Unsafe.Add(ref samples, stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ToTwo(Vector256<int> row, ref byte samples)
    {
        const int Second = FactorBits + PassBits + 3 + 2;
        var slope = Vector256.Sum(row * Vector256.Create(0, 29692, 0, -10426, 0, 6967, 0, -5906));
        var middle = (row.ToScalar() << (FactorBits + 2)) + (1 << (Second - 1)) + (Middle << Second);
        samples = (byte)Math.Clamp((middle + slope) >> Second, 0, 255);
        Unsafe.Add(ref samples, 1) = (byte)Math.Clamp((middle - slope) >> Second, 0, 255);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Pair(Vector256<int> Low, Vector256<int> High);
}
