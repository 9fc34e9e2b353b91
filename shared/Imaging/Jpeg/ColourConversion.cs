using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Distributed.Imaging.Jpeg;

/// <summary>Makes RGBA pixels of samples, with the arithmetic of libjpeg's <c>jdcolor.c</c>, bit for bit: factors have 16 fractional bits.</summary>
internal static class ColourConversion
{
    private const uint Opaque = 0xFF000000;

    /// <summary>Makes a row of grey pixels.</summary>
    /// <param name="brightness">A sample a pixel.</param>
    /// <param name="pixels">Where the pixels go.</param>
    /// <param name="count">Pixels of the row.</param>
    public static void FromGrey(ReadOnlySpan<byte> brightness, Span<byte> pixels, int count)
    {
        var target = MemoryMarshal.Cast<byte, uint>(pixels);
        for (var x = 0; x < count; x++)
        {
            target[x] = Opaque | (brightness[x] * 0x010101u);
        }
    }

    /// <summary>Makes a row of pixels. Up to <see cref="RgbaImage.Spare"/> bytes are read and written behind it.</summary>
    /// <param name="brightness">Y, a sample a pixel.</param>
    /// <param name="blue">Cb, a sample a pixel.</param>
    /// <param name="red">Cr, a sample a pixel.</param>
    /// <param name="pixels">Where the pixels go.</param>
    /// <param name="count">Pixels of the row.</param>
    public static void FromYCbCr(
        ReadOnlySpan<byte> brightness,
        ReadOnlySpan<byte> blue,
        ReadOnlySpan<byte> red,
        Span<byte> pixels,
        int count
    )
    {
        ref var y = ref MemoryMarshal.GetReference(brightness);
        ref var cb = ref MemoryMarshal.GetReference(blue);
        ref var cr = ref MemoryMarshal.GetReference(red);
        ref var target = ref MemoryMarshal.GetReference(pixels);
        var middle = Vector256.Create((short)128);
        for (var x = 0; x < count; x += Vector256<short>.Count)
        {
            var (luma, b, r) = (Load(ref y, x), Load(ref cb, x) - middle, Load(ref cr, x) - middle);
            // 1.402, 1.772 and their like are whole multiples and what is left of them, as 16 bits hold.
            var redPixel = luma + r + Multiply(r, 26345);
            var bluePixel = luma + b + b + Multiply(b, -14942);
            var greenPixel = luma - r + Green(b, r);
            Store(Bytes(redPixel), Bytes(greenPixel), Bytes(bluePixel), ref Unsafe.Add(ref target, 4 * x));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Load(ref byte samples, int x) =>
        Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref samples, (nuint)x));

    /// <summary>The product with a factor of 16 fractional bits, rounded: the upper half of twice the product holds one bit more than is wanted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Multiply(Vector256<short> values, short factor) =>
        Vector256.ShiftRightArithmetic(Avx2.MultiplyHigh(values + values, Vector256.Create(factor)) + Vector256<short>.One, 1);

    /// <summary>-0.34414 of blue and 1 - 0.71414 of red, in one sum that is rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Green(Vector256<short> blue, Vector256<short> red)
    {
        var factors = Vector256.Create((18734 << 16) | (-22554 & 0xFFFF)).AsInt16();
        var half = Vector256.Create(1 << 15);
        var low = Vector256.ShiftRightArithmetic(Avx2.MultiplyAddAdjacent(Avx2.UnpackLow(blue, red), factors) + half, 16);
        var high = Vector256.ShiftRightArithmetic(Avx2.MultiplyAddAdjacent(Avx2.UnpackHigh(blue, red), factors) + half, 16);
        return Avx2.PackSignedSaturate(low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Bytes(Vector256<short> values) =>
        Vector256.Min(Vector256.Max(values, Vector256<short>.Zero), Vector256.Create((short)255));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<short> red, Vector256<short> green, Vector256<short> blue, ref byte pixels)
    {
        var redAndGreen = red | Vector256.ShiftLeft(green, 8);
        var blueAndAlpha = blue | Vector256.Create(unchecked((short)0xFF00));
        var low = Avx2.UnpackLow(redAndGreen, blueAndAlpha);
        var high = Avx2.UnpackHigh(redAndGreen, blueAndAlpha);
        Avx2.Permute2x128(low, high, 0x20).AsByte().StoreUnsafe(ref pixels);
        Avx2.Permute2x128(low, high, 0x31).AsByte().StoreUnsafe(ref pixels, 32);
    }
}
