namespace Distributed.Datasets.Sources;

/// <summary>The directories that specifications may name paths in: nothing outside them is opened, whatever a request says.</summary>
/// <param name="roots">Absolute directories. Empty: no path is allowed.</param>
public sealed class DataRoots(IReadOnlyList<string> roots)
{
    private readonly string[] _roots = [.. roots.Select(root => WithSeparator(RealPath.Resolve(root)))];

    /// <summary>Resolves a path with all its symbolic links.</summary>
    /// <param name="path">The path that a specification names.</param>
    /// <exception cref="DatasetException">It is no path, stands outside the roots, does not exist, may not be read, or is an empty file.</exception>
    public string Resolve(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new DatasetException("The path holds a zero character.");
        }

        if (path.Contains("://", StringComparison.Ordinal))
        {
            throw new DatasetException(
                $"'{path}' is an address, and nothing is downloaded from addresses in specifications. Download it, and give the path of the folder, archive or weight file."
            );
        }

        var real = RealPath.Resolve(path);
        if (!Holds(real))
        {
            throw new DatasetException(
                _roots.Length == 0
                    ? $"'{path}' cannot be read: no directory is open to runs. Name some in the setting Data:Roots."
                    : $"'{path}' is outside the directories that runs may read ({string.Join(", ", _roots)}). Move it there, or add its directory to the setting Data:Roots."
            );
        }

        return Present.AtReal(real) switch
        {
            Presence.Absent => throw new DatasetException(
                $"'{path}' does not exist on this machine. Data sets are sample, clothing, stl10, or the path of a folder or archive; backbones are random, a name of the list of bases, or the path of a weight file."
            ),
            // Opening a pipe would wait for a writer.
            Presence.File when new FileInfo(real).Length == 0 => throw new DatasetException(
                $"'{path}' is an empty file, or a pipe, socket or device. Give the path of a folder, an archive or a weight file."
            ),
            _ => real,
        };
    }

    /// <summary>Whether a path without links is one of the roots or lies below one.</summary>
    internal bool Holds(string realPath) =>
        Array.Exists(_roots, root => WithSeparator(realPath).StartsWith(root, StringComparison.Ordinal));

    /// <summary>These roots and one more.</summary>
    internal DataRoots With(string root) => new([.. _roots, root]);

    /// <summary>Opens a file, and makes sure where it is when it is open: no exchange for a link in the meantime leads out of the roots.</summary>
    /// <param name="path">The path that a specification names.</param>
    /// <exception cref="DatasetException">See <see cref="Resolve"/>.</exception>
    public FileStream OpenRead(string path)
    {
        var real = Resolve(path);
        var root = _roots.First(root => WithSeparator(real).StartsWith(root, StringComparison.Ordinal));
        // The stream by its path, so that its name is known; where that leads, by the file that is open.
        FileStream stream;
        try
        {
            stream = new FileStream(real, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.Asynchronous);
        }
        catch (UnauthorizedAccessException exception) when (!Directory.Exists(real))
        {
            throw Present.NotReadable(path, exception);
        }

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

    private static string WithSeparator(string path) =>
        path.EndsWith(Path.DirectorySeparatorChar) ? path : path + Path.DirectorySeparatorChar;
}
