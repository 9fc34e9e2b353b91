namespace Distributed.Fuzzing;

/// <summary>A directory in memory where there is one, for parsers that read or write files.</summary>
internal sealed class Sandbox : IDisposable
{
    private const string Memory = "/dev/shm";

    public Sandbox()
    {
        Root = Path.Combine(Directory.Exists(Memory) ? Memory : Path.GetTempPath(), $"fuzz-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Root);
    }

    public string Root { get; }

    public string At(string name) => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
