using Distributed.Imaging;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>A folder of a source, by the way that led to it.</summary>
/// <param name="Path">Absolute path, links and all.</param>
/// <param name="RealPath">Where it really is.</param>
/// <param name="Parent">The folder that it was found in; null for the source's own.</param>
/// <param name="IsLink">Whether it is a link to a folder.</param>
internal sealed record SourceFolder(string Path, string RealPath, SourceFolder? Parent, bool IsLink)
{
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The folder of a source.</summary>
    public static SourceFolder Root(string path) => new(path, Sources.RealPath.Resolve(path), Parent: null, IsLink: false);

    /// <summary>Whether a folder holds this one, or one on the way to it, or is one of them.</summary>
    public bool IsBelow(string realPath)
    {
        for (var folder = this; folder is not null; folder = folder.Parent)
        {
            if (Sources.RealPath.IsWithin(realPath, folder.RealPath))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>A file of a source.</summary>
/// <param name="Path">Absolute path, links and all.</param>
/// <param name="RealPath">Where it really is.</param>
internal sealed record SourceFile(string Path, string RealPath);

/// <summary>What stands in one folder and is not hidden, in order of names; links are what they lead to.</summary>
/// <param name="Folders">Its folders.</param>
/// <param name="Files">Its files; also pipes, sockets and devices, which reading takes for empty files.</param>
/// <param name="Skipped">What cannot be followed or opened; the names are absolute paths.</param>
internal sealed record FolderContents(
    IReadOnlyList<SourceFolder> Folders,
    IReadOnlyList<SourceFile> Files,
    IReadOnlyList<SkippedFile> Skipped
)
{
    /// <summary>Reads a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="roots">Links that lead out of these directories are not followed.</param>
    /// <exception cref="DatasetException">It, or what a link leads to, may not be read.</exception>
    public static FolderContents Read(SourceFolder folder, DataRoots roots)
    {
        var (names, unreadable) = VisibleNames(folder.Path);
        var folders = new List<SourceFolder>();
        var files = new List<SourceFile>();
        var skipped = new List<SkippedFile>();
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            var path = Path.Combine(folder.Path, name);
            var isLink = new FileInfo(path).LinkTarget is not null;
            var real = isLink ? RealPath.TryResolve(path) : Path.Combine(folder.RealPath, name);
            if (real is null)
            {
                Skip(SkipReason.LinkLoop, "the link leads round in a circle");
            }
            else if (isLink && !roots.Holds(real))
            {
                Skip(
                    SkipReason.LinkOutside,
                    $"the link leads to '{Shown(new FileInfo(path).LinkTarget)}', outside the directories that may be read"
                );
            }
            else if (Present.AtReal(real) is var presence && presence == Presence.Absent)
            {
                if (isLink)
                {
                    Skip(SkipReason.LinkDangling, $"the link leads to '{Shown(new FileInfo(path).LinkTarget)}', where nothing is");
                }
            }
            else if (presence == Presence.File)
            {
                files.Add(new SourceFile(path, real));
            }
            else if (isLink && folder.IsBelow(real))
            {
                Skip(SkipReason.LinkLoop, $"the link leads to '{Shown(new FileInfo(path).LinkTarget)}', a folder that it lies in itself");
            }
            else
            {
                folders.Add(new SourceFolder(path, real, folder, isLink));
            }

            void Skip(SkipReason reason, string detail) => skipped.Add(new SkippedFile(SkippedName(path), reason, detail));
        }

        skipped.AddRange(
            unreadable.Select(name => new SkippedFile(
                $"{SkippedName(folder.Path)}/{RawNames.Escape(name)}",
                SkipReason.NameNotUtf8,
                "the name's bytes are no UTF-8, so it cannot be opened; rename it"
            ))
        );
        return new FolderContents(folders, files, skipped);
    }

    /// <summary>A path as the list of what was skipped shows it: with control characters escaped.</summary>
    public static string SkippedName(string path) => RawNames.Escape(System.Text.Encoding.UTF8.GetBytes(path));

    private static string Shown(string? target) => SafeText.Shorten(target ?? "", 200);

    private static (IEnumerable<string> Names, List<byte[]> Unreadable) VisibleNames(string folder)
    {
        const char Replacement = '\uFFFD';
        var names = Directory
            .EnumerateFileSystemEntries(folder, "*", Everything)
            .Select(path => Path.GetFileName(path))
            .Where(name => !IsHidden(name))
            .ToList();
        if (!RawNames.AreBytes || !names.Exists(name => name.Contains(Replacement, StringComparison.Ordinal)))
        {
            return (names, []);
        }

        // That character stands for bytes that are no UTF-8, or it is in the name. The bytes tell.
        var unreadable = new List<byte[]>();
        names.RemoveAll(name => name.Contains(Replacement, StringComparison.Ordinal));
        foreach (var raw in RawNames.In(folder))
        {
            if (RawNames.Decode(raw) is not { } name)
            {
                if (raw[0] != (byte)'.')
                {
                    unreadable.Add(raw);
                }
            }
            else if (name.Contains(Replacement, StringComparison.Ordinal) && !IsHidden(name))
            {
                names.Add(name);
            }
        }

        unreadable.Sort((left, right) => left.AsSpan().SequenceCompareTo(right));
        return (names, unreadable);
    }

    private static readonly EnumerationOptions Everything = new()
    {
        AttributesToSkip = FileAttributes.System,
        IgnoreInaccessible = false,
        RecurseSubdirectories = false,
    };

    private static bool IsHidden(string name) =>
        name.StartsWith('.')
        || name is "__MACOSX" or "$RECYCLE.BIN" or "@eaDir"
        || name.Equals("Thumbs.db", StringComparison.OrdinalIgnoreCase)
        || name.Equals("desktop.ini", StringComparison.OrdinalIgnoreCase);
}
