using System.Text;
using Distributed.Storage;

namespace Distributed.Datasets;

/// <summary>Where the entries of one archive go, and the bounds they must keep.</summary>
internal sealed class ArchiveTarget(string archivePath, string directory, long maximalBytes)
{
    private const int MaximalNameBytes = 255;

    // Far below the 4096 bytes of a whole path that Linux takes: the target directory stands before it.
    private const int MaximalPathBytes = 1024;

    // A file costs no more than this many directories.
    private const int MaximalDepth = 32;

    private readonly string _prefix = directory + Path.DirectorySeparatorChar;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(1 << 16);
    private int _entries;
    private int _files;
    private long _bytes;

    /// <summary>Reads the next bytes of an entry; 0 at its end.</summary>
    public delegate ValueTask<int> ReadContent(Memory<byte> buffer, CancellationToken cancellationToken);

    public async Task WriteAsync(string name, ReadContent read, CancellationToken cancellationToken)
    {
        var path = FullPath(name);
        Count();
        _files++;
        if (string.Equals(Path.GetFileName(path), Stl10Files.UnlabeledImages, StringComparison.Ordinal))
        {
            // Read all the same: what is left out counts as expansion, too.
            await CopyAsync(read, Stream.Null, cancellationToken);
            return;
        }

        if (File.Exists(path) || Directory.Exists(path))
        {
            throw Refusal(name, "stands in the archive twice");
        }

        CreateParent(name, Path.GetDirectoryName(path)!);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.Asynchronous);
        await CopyAsync(read, file, cancellationToken);
    }

    /// <summary>Directories are made for the files in them; one of its own is only checked.</summary>
    public void PassDirectory(string name)
    {
        FullPath(name);
        Count();
    }

    public void ThrowIfEmpty()
    {
        if (_files == 0)
        {
            throw new DatasetException($"The archive '{archivePath}' holds no files, or is no .tar, .tar.gz, .tgz or .zip archive.");
        }
    }

    public DatasetException Refusal(string name, string reason) =>
        new($"The archive '{archivePath}' was refused: its entry '{Shown(name)}' {reason}.");

    private void Count()
    {
        if (++_entries > DatasetArchive.MaximalFiles)
        {
            throw new DatasetException($"The archive '{archivePath}' holds more than {DatasetArchive.MaximalFiles} files and directories. Extract it yourself and give the directory.");
        }
    }

    private static string Shown(string name) => SafeText.Shorten(name, MaximalNameBytes);

    private async Task CopyAsync(ReadContent read, Stream file, CancellationToken cancellationToken)
    {
        int length;
        while ((length = await read(_buffer, cancellationToken)) > 0)
        {
            if ((_bytes += length) > maximalBytes)
            {
                throw new DatasetException($"The archive '{archivePath}' expands to more than {maximalBytes >> 20} MiB, {DatasetArchive.MaximalExpansion} times its size. Extract it yourself and give the directory, if that is right.");
            }

            await file.WriteAsync(_buffer.AsMemory(0, length), cancellationToken);
        }
    }

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

        if (Encoding.UTF8.GetByteCount(relative) > MaximalPathBytes || relative.AsSpan().Count('/') >= MaximalDepth)
        {
            throw Refusal(name, $"has a path of more than {MaximalPathBytes} bytes or {MaximalDepth} folders");
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
