using System.Runtime.CompilerServices;

namespace Distributed.Vision.Heads;

/// <summary>Numbers that begin with a cache line and stay where they are: a wide load that touches two lines takes twice as long.</summary>
internal sealed unsafe class AlignedNumbers<T>
    where T : unmanaged
{
    private const int LineBytes = 64;

    private readonly T[] _array;
    private readonly int _offset;

    /// <summary>Makes zeros.</summary>
    public AlignedNumbers(int length)
    {
        _array = GC.AllocateArray<T>(length + (LineBytes / sizeof(T)), pinned: true);
        _offset = (int)((LineBytes - ((nuint)Unsafe.AsPointer(ref _array[0]) % LineBytes)) % LineBytes) / sizeof(T);
        Length = length;
    }

    /// <summary>How many.</summary>
    public int Length { get; }

    /// <summary>All of them.</summary>
    public Span<T> Span => _array.AsSpan(_offset, Length);

    /// <summary>Where they begin; valid while this object is referenced.</summary>
    public T* Pointer => (T*)Unsafe.AsPointer(ref _array[_offset]);
}
