using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Distributed.Imaging.Jpeg;

/// <summary>
/// Brings colours of half the width, and of half the height, to that of the brightness, with the arithmetic of libjpeg's <c>jdsample.c</c>, bit for bit:
/// a sample counts three quarters, its neighbour one.
/// </summary>
internal sealed class ChromaUpsampling : IDisposable
{
    /// <summary>Sums before the first: the neighbour that it does not have.</summary>
    private const int Before = 16;

    private readonly int _columns;
    private readonly bool _isSmooth;
    private readonly ushort[] _sums;
    private readonly byte[] _blue;
    private readonly byte[] _red;

    /// <param name="columns">Samples of a row.</param>
    /// <param name="isSmooth">Whether neighbours count; else samples are doubled.</param>
    public ChromaUpsampling(int columns, bool isSmooth)
    {
        (_columns, _isSmooth) = (columns, isSmooth);
        _sums = ArrayPool<ushort>.Shared.Rent(Before + columns + RgbaImage.Spare);
        _blue = PixelMemory.Rent((2 * columns) + RgbaImage.Spare);
        _red = PixelMemory.Rent((2 * columns) + RgbaImage.Spare);
    }

    /// <summary>Upsamples a row of blue.</summary>
    /// <param name="near">The row that the pixels lie in.</param>
    /// <param name="far">The row that they lie next to.</param>
    /// <param name="isBetween">Whether they lie between the two.</param>
    /// <returns>Twice as many samples; valid until the next call.</returns>
    public ReadOnlySpan<byte> Blue(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far, bool isBetween) =>
        Upsample(near, far, isBetween, _blue);

    /// <summary>Upsamples a row of red.</summary>
    /// <inheritdoc cref="Blue"/>
    public ReadOnlySpan<byte> Red(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far, bool isBetween) => Upsample(near, far, isBetween, _red);

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<ushort>.Shared.Return(_sums);
        PixelMemory.Return(_blue);
        PixelMemory.Return(_red);
    }

    private byte[] Upsample(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far, bool isBetween, byte[] target)
    {
        if (!_isSmooth)
        {
            for (var x = 0; x < _columns; x++)
            {
                target[2 * x] = target[(2 * x) + 1] = near[x];
            }
        }
        else if (isBetween)
        {
            Sum(near, far);
            Smooth(target, evenRounding: 8, oddRounding: 7, shift: 4);
        }
        else
        {
            Widen(near);
            Smooth(target, evenRounding: 1, oddRounding: 2, shift: 2);
        }

        return target;
    }

    private void Sum(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far)
    {
        ref var first = ref MemoryMarshal.GetReference(near);
        ref var second = ref MemoryMarshal.GetReference(far);
        ref var sums = ref _sums[Before];
        for (var x = 0; x < _columns; x += Vector256<ushort>.Count)
        {
            (Load(ref first, x) * 3 + Load(ref second, x)).StoreUnsafe(ref sums, (nuint)x);
        }

        Enclose();
    }

    private void Widen(ReadOnlySpan<byte> near)
    {
        ref var first = ref MemoryMarshal.GetReference(near);
        ref var sums = ref _sums[Before];
        for (var x = 0; x < _columns; x += Vector256<ushort>.Count)
        {
            Load(ref first, x).StoreUnsafe(ref sums, (nuint)x);
        }

        Enclose();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Load(ref byte samples, int x)
    {
        var (low, high) = Vector128.Widen(Vector128.LoadUnsafe(ref samples, (nuint)x));
        return Vector256.Create(low, high);
    }

    // What has no neighbour is its own.
    private void Enclose()
    {
        _sums[Before - 1] = _sums[Before];
        _sums[Before + _columns] = _sums[Before + _columns - 1];
    }

    private void Smooth(byte[] target, int evenRounding, int oddRounding, int shift)
    {
        ref var sums = ref _sums[Before];
        ref var samples = ref Unsafe.As<byte, ushort>(ref MemoryMarshal.GetArrayDataReference(target));
        var (forEven, forOdd) = (Vector256.Create((ushort)evenRounding), Vector256.Create((ushort)oddRounding));
        for (var x = 0; x < _columns; x += Vector256<ushort>.Count)
        {
            var own = Vector256.LoadUnsafe(ref sums, (nuint)x) * 3;
            var even = Vector256.ShiftRightLogical(own + Vector256.LoadUnsafe(ref Unsafe.Add(ref sums, x - 1)) + forEven, shift);
            var odd = Vector256.ShiftRightLogical(own + Vector256.LoadUnsafe(ref Unsafe.Add(ref sums, x + 1)) + forOdd, shift);
            // Pairs of bytes: the even one first.
            (even | Vector256.ShiftLeft(odd, 8)).StoreUnsafe(ref samples, (nuint)x);
        }
    }
}
