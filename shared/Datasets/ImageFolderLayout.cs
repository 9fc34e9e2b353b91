namespace Distributed.Datasets;

/// <summary>Lists image files in class folders, with or without split folders above them.</summary>
internal static class ImageFolderLayout
{
    // Enough for "archive name / data set name / split", and an end for folders that hold nothing but a folder.
    private const int MaximalOuterFolders = 4;
    private const int ReportEvery = 1000;

    private static readonly string[] ValidationFolders = ["val", "valid", "validation"];

    private static readonly EnumerationOptions Everything = new()
    {
        AttributesToSkip = FileAttributes.System,
        IgnoreInaccessible = false,
        RecurseSubdirectories = false,
    };

    public static DatasetListing List(string root, IProgress<ListingProgress>? progress, CancellationToken cancellationToken)
    {
        root = SkipOuterFolders(root);
        var walk = new Walk(root, RealPath.Resolve(root), progress, cancellationToken);
        var train = SplitFolder(root, ["train"]);
        if (train is not null && Folders(train).Count > 0)
        {
            AddSplits(walk, train);
        }
        else
        {
            walk.Add(root, SplitName.Unassigned, ClassFolders(root));
        }

        return walk.Entries.Count == 0
            ? throw new DatasetException($"'{root}' has no images. Put one folder of images for each class there, or train/, val/ and test/ with such folders.")
            : new DatasetListing(
                SourceFormat.ImageFolder, root, Path.GetFileName(root), walk.ClassNames, walk.Entries, Folds: null, DatasetSource.Fingerprint(root, walk.Files));
    }

    private static void AddSplits(Walk walk, string train)
    {
        var root = walk.Root;
        var validation = SplitFolder(root, ValidationFolders);
        var test = SplitFolder(root, ["test"]);
        var classes = ClassFolders(train);
        if (validation is null && test is null)
        {
            walk.Add(train, SplitName.Unassigned, classes);
            return;
        }

        walk.Add(train, SplitName.Train, classes);
        if (validation is not null && test is not null)
        {
            walk.Add(validation, SplitName.Validation, ClassFolders(validation));
        }

        walk.Add((test ?? validation)!, SplitName.Test, ClassFolders((test ?? validation)!));
    }

    private static string SkipOuterFolders(string root)
    {
        for (var depth = 0; depth < MaximalOuterFolders; depth++)
        {
            var folders = Folders(root);
            if (folders.Count != 1 || Files(root).Any() || Folders(folders[0]).Count == 0 || Files(folders[0]).Any() || IsNamed(folders[0], "train"))
            {
                break;
            }

            root = folders[0];
        }

        return root;
    }

    private static List<string> ClassFolders(string directory)
    {
        var folders = Folders(directory);
        return folders.Count > 0
            ? folders
            : throw new DatasetException($"'{directory}' has no class folders. Put one folder of images for each class there.");
    }

    private static string? SplitFolder(string root, string[] names)
    {
        var found = Folders(root).Where(folder => names.Any(name => IsNamed(folder, name))).ToList();
        return found.Count <= 1
            ? found.FirstOrDefault()
            : throw new DatasetException($"'{root}' has {DatasetSource.Quote([.. found.Select(folder => Path.GetFileName(folder))])}, which mean the same split. Keep one of them.");
    }

    private static bool IsNamed(string folder, string name) => string.Equals(Path.GetFileName(folder), name, StringComparison.OrdinalIgnoreCase);

    private static List<string> Folders(string directory) =>
        [.. new DirectoryInfo(directory).EnumerateDirectories("*", Everything)
            .Where(folder => folder.LinkTarget is null && !IsHidden(folder.Name))
            .Select(folder => folder.FullName)
            .Order(StringComparer.Ordinal)];

    private static IEnumerable<FileInfo> Files(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles("*", Everything).Where(file => !IsHidden(file.Name));

    private static bool IsHidden(string name) =>
        name.StartsWith('.') || name is "__MACOSX" or "$RECYCLE.BIN" or "@eaDir"
        || name.Equals("Thumbs.db", StringComparison.OrdinalIgnoreCase) || name.Equals("desktop.ini", StringComparison.OrdinalIgnoreCase);

    private sealed class Walk(string root, string realRoot, IProgress<ListingProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);

        public string Root => root;

        public List<string> ClassNames { get; } = [];

        public List<ListedImage> Entries { get; } = [];

        public List<FileInfo> Files { get; } = [];

        /// <summary>Adds a split; the first one names the classes.</summary>
        public void Add(string directory, SplitName split, List<string> classFolders)
        {
            if (_labels.Count == 0)
            {
                ClassNames.AddRange(classFolders.Select(folder => Path.GetFileName(folder)));
                foreach (var name in ClassNames)
                {
                    _labels.Add(name, _labels.Count);
                }
            }

            var unknown = classFolders.Select(folder => Path.GetFileName(folder)).Where(name => !_labels.ContainsKey(name)).ToList();
            if (unknown.Count > 0)
            {
                throw new DatasetException($"'{directory}' has {DatasetSource.Plural(unknown.Count, "class folder", "class folders")} {DatasetSource.Quote(unknown)} that '{Path.Combine(root, "train")}' does not have. Add the class to train, or remove it.");
            }

            var before = Entries.Count;
            foreach (var folder in classFolders)
            {
                AddClass(folder, _labels[Path.GetFileName(folder)], split);
            }

            if (Entries.Count == before && split is (SplitName.Validation or SplitName.Test))
            {
                throw new DatasetException($"'{directory}' has no images. Fill its class folders, or remove it so that the split is drawn from the other images.");
            }
        }

        private void AddClass(string folder, int label, SplitName split)
        {
            var found = new List<FileInfo>();
            var pending = new Stack<string>([folder]);
            while (pending.TryPop(out var directory))
            {
                cancellationToken.ThrowIfCancellationRequested();
                found.AddRange(ImageFolderLayout.Files(directory).Where(StaysInside).Take(DatasetSource.MaximalImages + 1 - Entries.Count - found.Count));
                if (Entries.Count + found.Count > DatasetSource.MaximalImages)
                {
                    throw new DatasetException($"'{root}' holds more than {DatasetSource.MaximalImages} images, the most of a data set. Divide it.");
                }

                foreach (var inner in Folders(directory))
                {
                    pending.Push(inner);
                }
            }

            foreach (var file in found.OrderBy(file => DatasetSource.RelativeName(root, file.FullName), StringComparer.Ordinal))
            {
                Files.Add(file);
                Entries.Add(new ListedImage(DatasetSource.RelativeName(root, file.FullName), label, split));
                if (Entries.Count % ReportEvery == 0)
                {
                    progress?.Report(new ListingProgress("Listing files", Entries.Count, Total: null));
                }
            }
        }

        // Folders that are links are never followed (they could form a circle); files that are may point elsewhere inside the root.
        private bool StaysInside(FileInfo file)
        {
            if (file.LinkTarget is null)
            {
                return true;
            }

            var target = RealPath.Resolve(file.FullName);
            return target.StartsWith(realRoot + Path.DirectorySeparatorChar, StringComparison.Ordinal) && File.Exists(target);
        }
    }
}
