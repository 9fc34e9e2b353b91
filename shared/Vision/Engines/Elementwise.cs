using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Distributed.Vision.Engines;

/// <summary>
/// What happens between convolutions, in one pass over memory each. Channels are multiples of 16. bfloat16 is widened,
/// computed in float32 and rounded to nearest, ties away from zero.
/// </summary>
internal static unsafe class Elementwise
{
    // What is called for every pixel is compiled in full at once: while all cores compute, the run time's second look at it waits
    // behind everything that a host compiled to start.
    private const int VectorLength = 16;

    /// <summary>Rounds to nearest, ties to even.</summary>
    public static ushort ToBfloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Rounds to bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, ushort* target) =>
        Avx512F.ConvertToVector256UInt16((value.AsUInt32() + Vector512.Create(0x8000u)) >> 16).Store(target);

    /// <summary>max(0, value × scale + shift) of one pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void NormalizeRelu(bool bf16, byte* source, byte* target, float* scale, float* shift, int channels)
    {
        if (bf16)
        {
            for (var i = 0; i < channels; i += VectorLength)
            {
                Store(Active(Widen((ushort*)source + i), scale + i, shift + i), (ushort*)target + i);
            }
        }
        else
        {
            for (var i = 0; i < channels; i += VectorLength)
            {
                Active(Vector512.Load((float*)source + i), scale + i, shift + i).Store((float*)target + i);
            }
        }
    }

    /// <summary>The mean over 2×2 pixels of max(0, value × scale + shift).</summary>
    /// <param name="bf16">Precision of source and target.</param>
    /// <param name="source">Upper left pixel.</param>
    /// <param name="rowBytes">From a row to the next.</param>
    /// <param name="target">One pixel.</param>
    /// <param name="scale">By channel.</param>
    /// <param name="shift">By channel.</param>
    /// <param name="channels">All of the source's: pixels lie next to each other.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void NormalizeReluPool(bool bf16, byte* source, int rowBytes, byte* target, float* scale, float* shift, int channels)
    {
        var quarter = Vector512.Create(0.25f);
        if (bf16)
        {
            var upper = (ushort*)source;
            var lower = (ushort*)(source + rowBytes);
            for (var i = 0; i < channels; i += VectorLength)
            {
                var sum =
                    Active(Widen(upper + i), scale + i, shift + i)
                    + Active(Widen(upper + channels + i), scale + i, shift + i)
                    + (Active(Widen(lower + i), scale + i, shift + i) + Active(Widen(lower + channels + i), scale + i, shift + i));
                Store(sum * quarter, (ushort*)target + i);
            }
        }
        else
        {
            var upper = (float*)source;
            var lower = (float*)(source + rowBytes);
            for (var i = 0; i < channels; i += VectorLength)
            {
                var sum =
                    Active(Vector512.Load(upper + i), scale + i, shift + i)
                    + Active(Vector512.Load(upper + channels + i), scale + i, shift + i)
                    + (
                        Active(Vector512.Load(lower + i), scale + i, shift + i)
                        + Active(Vector512.Load(lower + channels + i), scale + i, shift + i)
                    );
                (sum * quarter).Store((float*)target + i);
            }
        }
    }

    /// <summary>The mean over all pixels of max(0, value × scale + shift), float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void NormalizeReluMean(bool bf16, byte* source, int pixels, float* target, float* scale, float* shift, int channels)
    {
        for (var i = 0; i < channels; i += VectorLength)
        {
            var sum = Vector512<float>.Zero;
            for (var pixel = 0; pixel < pixels; pixel++)
            {
                var at = ((long)pixel * channels) + i;
                sum += Active(bf16 ? Widen((ushort*)source + at) : Vector512.Load((float*)source + at), scale + i, shift + i);
            }

            (sum / Vector512.Create((float)pixels)).Store(target + i);
        }
    }

    /// <summary>The mean over all pixels, float32.</summary>
    /// <param name="bf16">Precision of the source.</param>
    /// <param name="source">Upper left pixel.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="rowBytes">From a row to the next.</param>
    /// <param name="pixelBytes">From a pixel to the next.</param>
    /// <param name="target">One pixel.</param>
    /// <param name="channels">Of a pixel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mean(bool bf16, byte* source, int height, int width, int rowBytes, int pixelBytes, float* target, int channels)
    {
        for (var i = 0; i < channels; i += VectorLength)
        {
            var sum = Vector512<float>.Zero;
            for (var y = 0; y < height; y++)
            {
                var row = source + ((long)y * rowBytes);
                for (var x = 0; x < width; x++)
                {
                    var pixel = row + ((long)x * pixelBytes);
                    sum += bf16 ? Widen((ushort*)pixel + i) : Vector512.Load((float*)pixel + i);
                }
            }

            (sum / Vector512.Create((float)height * width)).Store(target + i);
        }
    }

    /// <summary>The largest of 3×3 pixels. None is negative, and non-negative floats are in the order of their bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MaxPool(bool bf16, byte* source, int rowBytes, byte* target, int channels)
    {
        var pixelBytes = channels * (bf16 ? sizeof(ushort) : sizeof(float));
        for (var i = 0; i < pixelBytes; i += Vector256<byte>.Count)
        {
            var largest = Vector256<byte>.Zero;
            for (var y = 0; y < 3; y++)
            {
                for (var x = 0; x < 3; x++)
                {
                    var value = Vector256.Load(source + (y * rowBytes) + (x * pixelBytes) + i);
                    largest = bf16
                        ? Vector256.Max(largest.AsUInt16(), value.AsUInt16()).AsByte()
                        : Vector256.Max(largest.AsUInt32(), value.AsUInt32()).AsByte();
                }
            }

            largest.Store(target + i);
        }
    }

    /// <summary>Looks up the normalised value of every byte of a row of pixels, red, green, blue.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Lookup(bool bf16, byte* source, byte* target, byte* table, int pixels)
    {
        if (bf16)
        {
            var values = (ushort*)table;
            var result = (ushort*)target;
            for (var i = 0; i < pixels * 3; i += 3)
            {
                result[i] = values[source[i]];
                result[i + 1] = values[256 + source[i + 1]];
                result[i + 2] = values[512 + source[i + 2]];
            }
        }
        else
        {
            var values = (float*)table;
            var result = (float*)target;
            for (var i = 0; i < pixels * 3; i += 3)
            {
                result[i] = values[source[i]];
                result[i + 1] = values[256 + source[i + 1]];
                result[i + 2] = values[512 + source[i + 2]];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Active(Vector512<float> value, float* scale, float* shift) =>
        Vector512.MaxNative(Vector512.FusedMultiplyAdd(value, Vector512.Load(scale), Vector512.Load(shift)), Vector512<float>.Zero);

    /// <summary>A vector of bfloat16 as float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(ushort* source) => (Avx512F.ConvertToVector512UInt32(Vector256.Load(source)) << 16).AsSingle();
}
