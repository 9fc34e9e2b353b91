using Distributed.Imaging;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Lists image files in class folders, with or without split folders above them; <see cref="FolderPlan"/> has the rules.</summary>
internal static class ImageFolderLayout
{
    private const int ReportEvery = 1000;

    public static FileIndex List(string path, DataRoots? roots, IProgress<IndexingProgress>? progress, CancellationToken cancellationToken)
    {
        var plan = FolderPlan.Make(path, roots);
        var walk = new Walk(plan, progress, cancellationToken);
        foreach (var split in plan.Splits)
        {
            walk.Add(split);
        }

        return walk.ToFileIndex();
    }

    /// <summary>Lists all images below a folder, without labels and splits.</summary>
    public static FileIndex ListImages(
        string path,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var plan = FolderPlan.OfImages(path, roots);
        var walk = new Walk(plan, progress, cancellationToken);
        walk.AddUnlabelled(plan.Root);
        return walk.ToFileIndex();
    }

    private sealed class Walk(FolderPlan plan, IProgress<IndexingProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly string _root = plan.Root.Path;
        private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
        private readonly List<string> _classNames = [];
        private readonly List<ListedImage> _entries = [];
        private readonly List<SourceFile> _files = [];
        private readonly List<SkippedFile> _skipped = [.. plan.Skipped];
        private readonly List<string> _notes = [.. plan.Notes];

        /// <summary>Adds a split; the first one names the classes.</summary>
        public void Add(PlannedSplit split)
        {
            // Two ways to write one name, such as é in one character or two, are one class.
            var classes = split
                .Classes.GroupBy(folder => ClassName.Read(folder.Name, folder.Path), StringComparer.Ordinal)
                .OrderBy(group => group.Key, StringComparer.Ordinal)
                .ToList();
            foreach (var spelt in classes.Where(group => group.Skip(1).Any()))
            {
                _notes.Add(
                    $"{spelt.Count()} folders in '{Shown(split.Folder.Name)}' have the name '{spelt.Key}' in different Unicode forms; they are one class."
                );
            }

            if (_classNames.Count == 0)
            {
                _classNames.AddRange(classes.Select(group => group.Key));
                foreach (var name in _classNames)
                {
                    _labels.Add(name, _labels.Count);
                }
            }

            ThrowIfUnknown(split, [.. classes.Select(group => group.Key).Where(name => !_labels.ContainsKey(name))]);
            var before = _entries.Count;
            foreach (var group in classes)
            {
                AddFolders([.. group], _labels[group.Key], split.Split, FolderPlan.ThrowIfSplitsBelow);
            }

            if (split.Split is SplitName.Validation or SplitName.Test)
            {
                ThrowIfEmpty(split, before);
                NoteMissing(split, before);
            }
        }

        /// <summary>Adds the images of a folder that stands for no class.</summary>
        public void AddUnlabelled(SourceFolder folder) => AddFolders([folder], label: 0, SplitName.Unassigned, Allow);

        public FileIndex ToFileIndex()
        {
            if (_entries.Count == 0)
            {
                var first =
                    _skipped.Count == 0
                        ? ""
                        : $" Skipped: {_skipped.Count} {DatasetSource.Plural(_skipped.Count, "file or folder", "files or folders")}, the first, '{Shown(_skipped[0].Name)}', because {_skipped[0].Detail}.";
                throw new DatasetException(
                    plan.Splits.Count == 0
                        ? $"'{Shown(_root)}' has no images.{first}"
                        : $"'{Shown(_root)}' has no images. Put one folder of images for each class there, or train/, val/ and test/ with such folders.{first}"
                );
            }

            var skipped = _skipped
                .Select(file => file with { Name = DatasetSource.RelativeName(FolderContents.SkippedName(_root), file.Name) })
                .Distinct()
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .ToList();
            var files = _entries.Zip(_files, (entry, file) => ($"{entry.Split} {entry.Label} {entry.Name}", new FileInfo(file.RealPath)));
            // What was understood is in it: the same files may be read otherwise by another version, or when a link leads elsewhere.
            var fingerprint = DatasetSource.Fingerprint(
                files,
                [.. _classNames, .. _notes, .. skipped.Select(file => $"{file.Name} {file.Reason} {file.Detail}")]
            );
            return new FileIndex(SourceFormat.ImageFolder, _root, plan.Root.Name, _classNames, _entries, Folds: null, fingerprint)
            {
                Skipped = skipped,
                Notes = _notes,
            };
        }

        private static void Allow(SourceFolder folder, FolderContents contents) { }

        private void AddFolders(List<SourceFolder> folders, int label, SplitName split, Action<SourceFolder, FolderContents> check)
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
                    _skipped.Add(
                        new SkippedFile(
                            FolderContents.SkippedName(folder.Path),
                            SkipReason.LinkLoop,
                            "the folder is read already in this class, on another way"
                        )
                    );
                    continue;
                }

                var contents = FolderContents.Read(folder, plan.Roots);
                if (folders.Contains(folder))
                {
                    check(folder, contents);
                }

                found.AddRange(contents.Files);
                _skipped.AddRange(contents.Skipped);
                if (_entries.Count + found.Count + _skipped.Count > DatasetSource.MaximalImages)
                {
                    throw new DatasetException(
                        $"'{Shown(_root)}' holds more than {DatasetSource.MaximalImages} images, the most of a data set. Divide it."
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

            foreach (
                var (file, name) in found
                    .Select(file => (file, DatasetSource.RelativeName(_root, file.Path)))
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

        private void ThrowIfUnknown(PlannedSplit split, List<string> unknown)
        {
            if (unknown.Count > 0)
            {
                throw new DatasetException(
                    $"'{Shown(split.Folder.Path)}' has {DatasetSource.Plural(unknown.Count, "class folder", "class folders")} {DatasetSource.Quote(unknown)} that '{Shown(plan.Splits[0].Folder.Path)}' does not have. Add the class there, or remove it."
                );
            }
        }

        private void ThrowIfEmpty(PlannedSplit split, int before)
        {
            if (_entries.Count == before)
            {
                throw new DatasetException(
                    $"'{Shown(split.Folder.Path)}' has no images. Fill its class folders, or remove it so that the split is drawn from the other images."
                );
            }
        }

        private void NoteMissing(PlannedSplit split, int before)
        {
            var there = _entries.Skip(before).Select(entry => entry.Label).ToHashSet();
            var missing = _classNames.Where((_, label) => !there.Contains(label)).ToList();
            if (missing.Count > 0)
            {
                _notes.Add(
                    $"'{Shown(split.Folder.Name)}' has no images of {DatasetSource.Plural(missing.Count, "the class", "the classes")} {DatasetSource.Quote(missing)}."
                );
            }
        }

        private static string Shown(string text) => SafeText.Shorten(text, 400);
    }
}
