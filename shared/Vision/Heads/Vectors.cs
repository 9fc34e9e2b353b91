using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision.Heads;

/// <summary>Loops over vectors whose lengths are multiples of 8.</summary>
internal static class Vectors
{
    /// <summary>target += factor × source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Axpy(double factor, ReadOnlySpan<double> source, Span<double> target)
    {
        var by = Vector256.Create(factor);
        var from = MemoryMarshal.Cast<double, Vector256<double>>(source);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(target);
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = Vector256.FusedMultiplyAdd(by, from[i], to[i]);
        }
    }

    /// <summary>target += source.</summary>
    public static void Add<T>(ReadOnlySpan<T> source, Span<double> target)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
        {
            TensorPrimitives.Add(MemoryMarshal.Cast<T, double>(source), target, target);
        }
        else
        {
            AddWidened(MemoryMarshal.Cast<T, float>(source), target);
        }
    }

    /// <summary>The same numbers in double precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ReadOnlySpan<float> source, Span<double> target)
    {
        var from = MemoryMarshal.Cast<float, Vector256<float>>(source);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(target);
        for (var i = 0; i < from.Length; i++)
        {
            (to[2 * i], to[(2 * i) + 1]) = Vector256.Widen(from[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddWidened(ReadOnlySpan<float> source, Span<double> target)
    {
        var from = MemoryMarshal.Cast<float, Vector256<float>>(source);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(target);
        for (var i = 0; i < from.Length; i++)
        {
            var (lower, upper) = Vector256.Widen(from[i]);
            to[2 * i] += lower;
            to[(2 * i) + 1] += upper;
        }
    }
}
