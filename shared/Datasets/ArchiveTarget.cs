using System.Text;

namespace Distributed.Datasets;

/// <summary>Where the entries of one archive go, and the bounds they must keep.</summary>
internal sealed class ArchiveTarget(string archivePath, string directory, long maximalBytes)
{
    private const int MaximalNameBytes = 255;

    private readonly string _prefix = directory + Path.DirectorySeparatorChar;
    private int _files;
    private long _bytes;

    public async Task WriteAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        var path = FullPath(name);
        if (++_files > DatasetArchive.MaximalFiles)
        {
            throw new DatasetException($"The archive '{archivePath}' holds more than {DatasetArchive.MaximalFiles} files. Extract it yourself and give the directory.");
        }

        if (string.Equals(Path.GetFileName(path), Stl10Files.UnlabeledImages, StringComparison.Ordinal))
        {
            return;
        }

        if (File.Exists(path) || Directory.Exists(path))
        {
            throw Refusal(name, "stands in the archive twice");
        }

        CreateParent(name, Path.GetDirectoryName(path)!);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.Asynchronous);
        var buffer = new byte[1 << 18];
        int read;
        while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if ((_bytes += read) > maximalBytes)
            {
                throw new DatasetException($"The archive '{archivePath}' expands to more than {maximalBytes >> 20} MiB, {DatasetArchive.MaximalExpansion} times its size. Extract it yourself and give the directory, if that is right.");
            }

            await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
    }

    public void ThrowIfOutside(string name) => FullPath(name);

    public void ThrowIfEmpty()
    {
        if (_files == 0)
        {
            throw new DatasetException($"The archive '{archivePath}' holds no files, or is no .tar, .tar.gz, .tgz or .zip archive.");
        }
    }

    public DatasetException Refusal(string name, string reason) =>
        new($"The archive '{archivePath}' was refused: its entry '{name}' {reason}.");

    private void CreateParent(string name, string parent)
    {
        if (Directory.Exists(parent))
        {
            return;
        }

        for (var above = parent; above.Length > directory.Length; above = Path.GetDirectoryName(above)!)
        {
            if (File.Exists(above))
            {
                throw Refusal(name, "lies below another file");
            }
        }

        Directory.CreateDirectory(parent);
    }

    private string FullPath(string name)
    {
        var relative = name.Replace('\\', '/');
        if (relative.Contains('\0', StringComparison.Ordinal) || relative.StartsWith('/') || (OperatingSystem.IsWindows() && relative.Contains(':', StringComparison.Ordinal)))
        {
            throw Refusal(name, "has a path that is not relative");
        }

        if (relative.Split('/').Any(part => Encoding.UTF8.GetByteCount(part) > MaximalNameBytes))
        {
            throw Refusal(name, $"has a part longer than the {MaximalNameBytes} bytes that file systems allow");
        }

        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine(directory, relative)));
        return string.Equals(full, directory, StringComparison.Ordinal) || full.StartsWith(_prefix, StringComparison.Ordinal)
            ? full
            : throw Refusal(name, "leads out of the target directory");
    }
}
