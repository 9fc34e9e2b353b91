namespace Distributed.Vision;

/// <summary>x</summary>
public static class PytorchCheckpoint
{
    /// <summary>x</summary>
    public static IReadOnlyDictionary<string, TensorData> Read(string path) => throw new NotSupportedException(path);
}
