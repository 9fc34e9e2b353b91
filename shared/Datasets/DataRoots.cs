namespace Distributed.Datasets;

/// <summary>The directories that specifications may name paths in: nothing outside them is opened, whatever a request says.</summary>
/// <param name="roots">Absolute directories. Empty: no path is allowed.</param>
public sealed class DataRoots(IReadOnlyList<string> roots)
{
    private readonly string[] _roots = [.. roots.Select(root => WithSeparator(RealPath.Resolve(root)))];

    /// <summary>Resolves a path with all its symbolic links.</summary>
    /// <param name="path">The path that a specification names.</param>
    /// <exception cref="DatasetException">It is no path, stands outside the roots, or does not exist.</exception>
    public string Resolve(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new DatasetException("The path holds a zero character.");
        }

        var real = RealPath.Resolve(path);
        if (!Array.Exists(_roots, root => WithSeparator(real).StartsWith(root, StringComparison.Ordinal)))
        {
            throw new DatasetException(_roots.Length == 0
                ? $"'{path}' cannot be read: no directory is open to runs. Name some in the setting Data:Roots."
                : $"'{path}' is outside the directories that runs may read ({string.Join(", ", _roots)}). Move it there, or add its directory to the setting Data:Roots.");
        }

        return Path.Exists(real)
            ? real
            : throw new DatasetException($"'{path}' does not exist. Data sets are sample, stl10, or the path of a folder or archive; backbones are demo, imagenet, random, or the path of a weight file.");
    }

    /// <summary>Opens a file, and makes sure where it is when it is open: no exchange for a link in the meantime leads out of the roots.</summary>
    /// <param name="path">The path that a specification names.</param>
    /// <exception cref="DatasetException">See <see cref="Resolve"/>.</exception>
    public FileStream OpenRead(string path)
    {
        var real = Resolve(path);
        var root = _roots.First(root => WithSeparator(real).StartsWith(root, StringComparison.Ordinal));
        // The stream by its path, so that its name is known; where that leads, by the file that is open.
        var stream = new FileStream(real, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.Asynchronous);
        try
        {
            Confinement.ThrowIfOutside(root, real, stream.SafeFileHandle);
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private static string WithSeparator(string path) => path.EndsWith(Path.DirectorySeparatorChar) ? path : path + Path.DirectorySeparatorChar;
}
