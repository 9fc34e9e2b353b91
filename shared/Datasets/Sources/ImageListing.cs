using Distributed.Imaging;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Collects the images of a folder, split by split and class by class, and makes their file index.</summary>
/// <param name="root">The folder that names are relative to.</param>
/// <param name="roots">The directories that links may lead to.</param>
/// <param name="progress">Files listed are reported to it; may be null.</param>
/// <param name="cancellationToken">Stops the listing.</param>
internal sealed class ImageListing(
    SourceFolder root,
    DataRoots roots,
    IProgress<IndexingProgress>? progress,
    CancellationToken cancellationToken
)
{
    private const int ReportEvery = 1000;

    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly List<string> _classNames = [];
    private readonly List<ListedImage> _entries = [];
    private readonly List<SourceFile> _files = [];

    /// <summary>What was seen and is not listed; the names are absolute paths.</summary>
    public List<SkippedFile> Skipped { get; } = [];

    /// <summary>How the source was understood.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Number of images so far.</summary>
    public int Count => _entries.Count;

    /// <summary>Takes names for classes where none are known yet: the first split has the classes.</summary>
    /// <param name="names">The names of a split's classes, in their order.</param>
    /// <returns>Those that are no class.</returns>
    public List<string> NameClasses(IReadOnlyList<string> names)
    {
        if (_classNames.Count == 0)
        {
            _classNames.AddRange(names);
            foreach (var name in _classNames)
            {
                _labels.Add(name, _labels.Count);
            }
        }

        return [.. names.Where(name => !_labels.ContainsKey(name))];
    }

    /// <summary>The label of a class.</summary>
    public int LabelOf(string className) => _labels[className];

    /// <summary>The files in folders, at any depth, in no order. No folder is read twice.</summary>
    /// <param name="folders">The folders.</param>
    /// <param name="check">Looks at what each of them holds.</param>
    public List<SourceFile> Find(IReadOnlyList<SourceFolder> folders, Action<SourceFolder, FolderContents> check)
    {
        var found = new List<SourceFile>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var real = new Stack<SourceFolder>(folders.Where(folder => !folder.IsLink));
        // Links come last, in the order of their names: what is in the class already is not read again through them.
        var links = new PriorityQueue<SourceFolder, string>(StringComparer.Ordinal);
        links.EnqueueRange(folders.Where(folder => folder.IsLink).Select(folder => (folder, folder.Path)));
        while (real.TryPop(out var folder) || links.TryDequeue(out folder, out _))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!seen.Add(folder.RealPath))
            {
                Skipped.Add(
                    new SkippedFile(
                        FolderContents.SkippedName(folder.Path),
                        SkipReason.LinkLoop,
                        "the folder is read already in this class, on another way"
                    )
                );
                continue;
            }

            var contents = FolderContents.Read(folder, roots);
            if (folders.Contains(folder))
            {
                check(folder, contents);
            }

            found.AddRange(contents.Files);
            Skipped.AddRange(contents.Skipped);
            if (_entries.Count + found.Count + Skipped.Count > DatasetSource.MaximalImages)
            {
                throw new DatasetException(
                    $"'{Shown(root.Path)}' holds more than {DatasetSource.MaximalImages} images, the most of a data set. Divide it."
                );
            }

            foreach (var inner in contents.Folders)
            {
                if (inner.IsLink)
                {
                    links.Enqueue(inner, inner.Path);
                }
                else
                {
                    real.Push(inner);
                }
            }
        }

        return found;
    }

    /// <summary>Adds images of one label and split, in the order of their names.</summary>
    public void Add(IEnumerable<SourceFile> files, int label, SplitName split)
    {
        foreach (
            var (file, name) in files
                .Select(file => (file, DatasetSource.RelativeName(root.Path, file.Path)))
                .OrderBy(pair => pair.Item2, StringComparer.Ordinal)
        )
        {
            _files.Add(file);
            _entries.Add(new ListedImage(name, label, split));
            if (_entries.Count % ReportEvery == 0)
            {
                progress?.Report(new IndexingProgress("Listing files", _entries.Count, Total: null));
            }
        }
    }

    /// <summary>Notes the classes of which a split has no images.</summary>
    /// <param name="split">What people call the split.</param>
    /// <param name="before">The number of images before those of the split.</param>
    public void NoteMissing(string split, int before)
    {
        var there = _entries.Skip(before).Select(entry => entry.Label).ToHashSet();
        var missing = _classNames.Where((_, label) => !there.Contains(label)).ToList();
        if (missing.Count > 0)
        {
            Notes.Add(
                $"'{Shown(split)}' has no images of {DatasetSource.Plural(missing.Count, "the class", "the classes")} {DatasetSource.Quote(missing)}."
            );
        }
    }

    /// <summary>The file index of what was added.</summary>
    /// <param name="remedy">What to do where that is nothing, a sentence with a blank before it, or nothing.</param>
    /// <exception cref="DatasetException">Nothing was added.</exception>
    public FileIndex ToFileIndex(string remedy)
    {
        if (_entries.Count == 0)
        {
            var first =
                Skipped.Count == 0
                    ? ""
                    : $" Skipped: {Skipped.Count} {DatasetSource.Plural(Skipped.Count, "file or folder", "files or folders")}, the first, '{Shown(Skipped[0].Name)}', because {Skipped[0].Detail}.";
            throw new DatasetException($"'{Shown(root.Path)}' has no images.{remedy}{first}");
        }

        var skipped = Skipped
            .Select(file => file with { Name = DatasetSource.RelativeName(FolderContents.SkippedName(root.Path), file.Name) })
            .Distinct()
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .ToList();
        var files = _entries.Zip(_files, (entry, file) => ($"{entry.Split} {entry.Label} {entry.Name}", new FileInfo(file.RealPath)));
        // What was understood is in it: the same files may be read otherwise by another version, or when a link leads elsewhere.
        var fingerprint = DatasetSource.Fingerprint(
            files,
            [.. _classNames, .. Notes, .. skipped.Select(file => $"{file.Name} {file.Reason} {file.Detail}")]
        );
        return new FileIndex(SourceFormat.ImageFolder, root.Path, root.Name, _classNames, _entries, Folds: null, fingerprint)
        {
            Skipped = skipped,
            Notes = Notes,
        };
    }

    private static string Shown(string text) => SafeText.Shorten(text, 400);
}
