using System.Runtime.InteropServices;

namespace Distributed.Vision.Engines;

/// <summary>Zeroed memory that begins at a cache line.</summary>
internal sealed unsafe class NativeBuffer : SafeHandle
{
    private const nuint Alignment = 64;

    public NativeBuffer(long length)
        : base(0, ownsHandle: true)
    {
        Length = length;
        var memory = NativeMemory.AlignedAlloc((nuint)length, Alignment);
        NativeMemory.Clear(memory, (nuint)length);
        SetHandle((nint)memory);
    }

    public long Length { get; }

    public override bool IsInvalid => handle == 0;

    public byte* Pointer => (byte*)handle;

    public float* Floats => (float*)handle;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
