using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Distributed.Fuzzing;

/// <summary>What a worker has done so far, in memory that outlives it: when it dies or hangs, its current input is known.</summary>
internal sealed unsafe class Board : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly State* _state;

    public Board(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, mapName: null, sizeof(State));
        _view = _file.CreateViewAccessor();
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _state = (State*)start;
    }

    public ref State Values => ref *_state;

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    /// <summary>Counts and the worst inputs; an index is an input's number.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct State
    {
        public long Current;
        public long Begun;
        public long Accepted;
        public long Refused;
        public long WorstTicks;
        public long WorstIndex;
        public long MostAllocated;
        public long MostAllocatedIndex;
        public long PeakMemory;
    }
}
