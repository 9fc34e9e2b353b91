using System.Text;
using Distributed.Datasets.Sources;
using Distributed.Storage;

namespace Distributed.Datasets.Archives;

/// <summary>Where the entries of one archive go, and the bounds they must keep.</summary>
internal sealed class ArchiveTarget(string archivePath, string directory, long maximalBytes)
{
    private const int MaximalNameBytes = 255;

    // Far below the 4096 bytes of a whole path that Linux takes: the target directory stands before it.
    private const int MaximalPathBytes = 1024;

    // A file costs no more than this many directories.
    private const int MaximalDepth = 32;

    // They are kept in memory.
    private const int MaximalOtherFolders = 100_000;

    private readonly string _prefix = directory + Path.DirectorySeparatorChar;

    /// <summary>Folders whose names are not UTF-8, by what they are called in the target.</summary>
    private readonly Dictionary<string, NameSpelling> _otherwise = new(StringComparer.Ordinal);
    private readonly Dictionary<NameSpelling, (int Count, string First)> _said = [];
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(1 << 16);
    private int _entries;
    private int _files;
    private long _bytes;

    /// <summary>Reads the next bytes of an entry; 0 at its end.</summary>
    public delegate ValueTask<int> ReadContent(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>How names were understood where that is not plain, a sentence each.</summary>
    public IReadOnlyList<string> Notes =>
        [
            .. _said
                .OrderBy(said => said.Key)
                .Select(said =>
                    said.Key == NameSpelling.CodePage437
                        ? $"{Count(said.Value)} not UTF-8 and read as code page 437, as the zip specification says: '{said.Value.First}'. If that is wrong, pack the archive again with UTF-8 names."
                        : $"{Count(said.Value)} not UTF-8, and the bytes that are not stand as %E9 would for one: '{said.Value.First}'. Pack the archive again with UTF-8 names."
                ),
        ];

    public async Task WriteAsync(EntryName name, ReadContent read, CancellationToken cancellationToken)
    {
        var parts = Resolve(name);
        if (parts.Count == 0)
        {
            throw Refusal(name, "has no name");
        }

        var path = FullPath(name, parts);
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
            throw Refusal(name, "stands in the archive twice, or has the path of another when it is written as text");
        }

        KeepApart(name, parts);
        CreateParent(name, Path.GetDirectoryName(path)!);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.Asynchronous);
        await CopyAsync(read, file, cancellationToken);
    }

    /// <summary>Directories are made for the files in them; one of its own is only checked.</summary>
    public void PassDirectory(EntryName name)
    {
        FullPath(name, Resolve(name));
        Count();
    }

    public void ThrowIfEmpty()
    {
        if (_files == 0)
        {
            throw new DatasetException($"The archive '{archivePath}' holds no files.");
        }
    }

    public DatasetException Refusal(EntryName name, string reason) =>
        new($"The archive '{archivePath}' was refused: its entry '{Shown(name.Text)}' {reason}.");

    private void Count()
    {
        if (++_entries > DatasetArchive.MaximalFiles)
        {
            throw new DatasetException(
                $"The archive '{archivePath}' holds more than {DatasetArchive.MaximalFiles} files and directories. Extract it yourself and give the directory."
            );
        }
    }

    private static string Count((int Count, string First) said) =>
        said.Count == 1 ? "A name in the archive is" : $"{said.Count} names in the archive are";

    private static string Shown(string name) => SafeText.Shorten(name, MaximalNameBytes);

    private async Task CopyAsync(ReadContent read, Stream file, CancellationToken cancellationToken)
    {
        int length;
        while ((length = await read(_buffer, cancellationToken)) > 0)
        {
            if ((_bytes += length) > maximalBytes)
            {
                throw new DatasetException(
                    $"The archive '{archivePath}' expands to more than {maximalBytes >> 20} MiB, {DatasetArchive.MaximalExpansion} times its size. Extract it yourself and give the directory, if that is right."
                );
            }

            await file.WriteAsync(_buffer.AsMemory(0, length), cancellationToken);
        }
    }

    private void CreateParent(EntryName name, string parent)
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

    /// <summary>Refuses a folder that two spellings would make one of two; files in each other's way are found by their path.</summary>
    private void KeepApart(EntryName name, List<(string Text, NameSpelling Spelling)> parts)
    {
        if (name.Spellings is null && _otherwise.Count == 0)
        {
            return;
        }

        var path = directory;
        for (var i = 0; i < parts.Count; i++)
        {
            path = Path.Combine(path, parts[i].Text);
            var spelling = parts[i].Spelling;
            var isKnown = _otherwise.TryGetValue(path, out var known);
            if (isKnown ? known != spelling : spelling != NameSpelling.Utf8 && i < parts.Count - 1 && Directory.Exists(path))
            {
                throw Refusal(
                    name,
                    $"has a folder '{Shown(parts[i].Text)}' that other bytes stand for in other entries, so that two folders would become one; pack it again with UTF-8 names"
                );
            }

            if (!isKnown && spelling != NameSpelling.Utf8 && i < parts.Count - 1)
            {
                _otherwise.Add(path, spelling);
                if (_otherwise.Count > MaximalOtherFolders)
                {
                    throw new DatasetException(
                        $"The archive '{archivePath}' holds more than {MaximalOtherFolders} folders whose names are not UTF-8. Pack it again with UTF-8 names."
                    );
                }
            }
        }

        if (name.Spellings is { } spellings)
        {
            var other = spellings.Max();
            _said[other] = _said.TryGetValue(other, out var said) ? (said.Count + 1, said.First) : (1, Shown(name.Text));
        }
    }

    /// <summary>The parts of a path below the target.</summary>
    private List<(string Text, NameSpelling Spelling)> Resolve(EntryName name)
    {
        if (
            Encoding.UTF8.GetByteCount(name.Text) > MaximalPathBytes
            || name.Text.Count(character => EntryName.IsSeparator(character)) >= MaximalDepth
        )
        {
            throw Refusal(name, $"has a path of more than {MaximalPathBytes} bytes or {MaximalDepth} folders");
        }

        if (
            name.Text.Contains('\0', StringComparison.Ordinal)
            || (name.Text.Length > 0 && EntryName.IsSeparator(name.Text[0]))
            || (OperatingSystem.IsWindows() && name.Text.Contains(':', StringComparison.Ordinal))
        )
        {
            throw Refusal(name, "has a path that is not relative");
        }

        var parts = new List<(string Text, NameSpelling Spelling)>();
        foreach (var (index, part) in name.Text.Split('/', '\\').Index())
        {
            if (Encoding.UTF8.GetByteCount(part) > MaximalNameBytes)
            {
                throw Refusal(name, $"has a part longer than the {MaximalNameBytes} bytes that file systems allow");
            }

            if (part == "..")
            {
                parts.RemoveAt(parts.Count > 0 ? parts.Count - 1 : throw Refusal(name, "leads out of the target directory"));
            }
            else if (part is not ("" or "."))
            {
                parts.Add((part, name.Spellings?[index] ?? NameSpelling.Utf8));
            }
        }

        return parts;
    }

    private string FullPath(EntryName name, List<(string Text, NameSpelling Spelling)> parts)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine([directory, .. parts.Select(part => part.Text)])));
        return string.Equals(full, directory, StringComparison.Ordinal) || full.StartsWith(_prefix, StringComparison.Ordinal)
            ? full
            : throw Refusal(name, "leads out of the target directory");
    }
}
