using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

/// <summary>A directory that lasts as long as a test.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory() => Directory.CreateDirectory(Root);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), $"datasets-{Guid.NewGuid():N}");

    public string At(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Writes a file below the root, with the directories above it.</summary>
    public string Write(string name, byte[] content)
    {
        var path = At(name.Split('/'));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Writes a small picture that differs from every other number's.</summary>
    public string WriteImage(string name, int number) => Write(name, Picture(number));

    public static byte[] Picture(int number)
    {
        var pixels = new byte[12 * 10 * 3];
        new Random(number).NextBytes(pixels);
        return PngEncoder.Encode(pixels, 12, 10);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
