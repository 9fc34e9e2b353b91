using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>
/// Rows of single precision, each at the beginning of a cache line and filled up with zeros; behind the last stand the rows of zeros that it is
/// multiplied together with (<see cref="RowShape.RowsTogether"/>). The memory is LibTorch's: it is not moved, is given back when it is disposed of,
/// and may be larger than any array.
/// </summary>
internal sealed unsafe class AlignedRows : IDisposable
{
    private readonly Tensor _memory;
    private readonly float* _begin;

    /// <summary>Makes rows whose numbers are not set yet.</summary>
    /// <param name="count">Rows, at least 1.</param>
    /// <param name="size">Numbers of a row; behind them are zeros.</param>
    public AlignedRows(int count, int size)
    {
        (Count, Stride) = (count, new RowShape(size, Classes: 0).Stride);
        var all = count + RowShape.RowsTogether - 1;
        _memory = empty([all, Stride], ScalarType.Float32).DetachFromDisposeScope();
        using (var first = _memory.narrow(0, 0, 1))
        {
            // TorchSharp shows at most 2 GiB of a tensor.
            _begin = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
        }

        for (var row = 0; row < all; row++)
        {
            new Span<float>(Pointer(row), Stride)[(row < count ? size : 0)..].Clear();
        }
    }

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>Numbers from one row to the next.</summary>
    public int Stride { get; }

    /// <summary>A row with its zeros.</summary>
    public Span<float> this[int row]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Count);
            return new Span<float>(Pointer(row), Stride);
        }
    }

    /// <summary>Where a row begins; valid until this object is disposed of.</summary>
    public float* Pointer(int row) => _begin + ((nint)row * Stride);

    /// <summary>Some columns of some rows as they lie in memory, float32 [rows, columns]; the tensor belongs to the caller.</summary>
    public Tensor View(int first, int count, int column, int columns)
    {
        using var rows = _memory.narrow(0, first, count);
        return rows.narrow(1, column, columns);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
