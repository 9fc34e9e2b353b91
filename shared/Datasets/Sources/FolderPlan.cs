using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Class folders that are read as one split.</summary>
/// <param name="Folder">The folder that holds them.</param>
/// <param name="Split">The split.</param>
/// <param name="Classes">The class folders, at least one.</param>
internal sealed record PlannedSplit(SourceFolder Folder, SplitName Split, IReadOnlyList<SourceFolder> Classes);

/// <summary>
/// How the folders of an image data set are understood. The rules, which <c>docs/datasets.md</c> has for people:
/// <list type="number">
/// <item>What is hidden, or left behind by systems, is not there.</item>
/// <item>A folder that holds one folder, with folders in it, and no images is passed through, up to four times, unless that one has a split's name.</item>
/// <item>Where no folder has a split's name, the folders are the classes. Folders such as <c>seg_train</c> and <c>seg_test</c>, which hold folders, are refused.</item>
/// <item>Where one has, all must have: a folder beside them is refused, as are two for the same split, and one without class folders. A folder alone in it that
/// means the same split is passed through. Below a split, every folder is a class, whatever its name.</item>
/// <item>train alone, or validation alone: nothing is assigned, and all splits are drawn. train and validation: validation is the test split. validation and test:
/// validation is what is trained on. test alone is refused, since nobody means it to be trained on.</item>
/// </list>
/// </summary>
/// <param name="Root">The folder that names are relative to.</param>
/// <param name="Roots">The directories that links may lead to.</param>
/// <param name="Splits">The splits, in the order of a file index: train, validation, test. The first one has the classes. None where classes are not asked for.</param>
/// <param name="Notes">What is worth telling.</param>
/// <param name="Skipped">What was skipped on the way; the names are absolute paths.</param>
internal sealed record FolderPlan(
    SourceFolder Root,
    DataRoots Roots,
    IReadOnlyList<PlannedSplit> Splits,
    IReadOnlyList<string> Notes,
    IReadOnlyList<SkippedFile> Skipped
)
{
    // Enough for "archive name / data set name / split", and an end for folders that hold nothing but a folder.
    public const int MaximalOuterFolders = 4;

    private static readonly HashSet<string> ImageEndings = new(
        [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".ppm"],
        StringComparer.OrdinalIgnoreCase
    );

    private static readonly string[] TableEndings = [".csv", ".tsv"];

    /// <summary>Whether a file has the name of an image.</summary>
    public static bool IsImage(SourceFile file) => HasImageEnding(file.Path);

    /// <summary>Whether a name ends as those of images do.</summary>
    public static bool HasImageEnding(string name) => ImageEndings.Contains(Path.GetExtension(name));

    /// <summary>Decides what the folders of a source mean.</summary>
    /// <param name="path">The source.</param>
    /// <param name="roots">Directories that links may lead to beside the source; null for none.</param>
    /// <exception cref="DatasetException">They mean nothing, or more than one thing.</exception>
    public static FolderPlan Make(string path, DataRoots? roots)
    {
        var notes = new List<string>();
        var skipped = new List<SkippedFile>();
        var root = SourceFolder.Root(path);
        var bounds = roots?.With(path) ?? new DataRoots([path]);
        var contents = FolderContents.Read(root, bounds);
        for (var depth = 0; depth < MaximalOuterFolders && Inner(contents, bounds) is { } inner; depth++)
        {
            skipped.AddRange(contents.Skipped);
            root = SourceFolder.Root(inner.Path);
            bounds = roots?.With(inner.Path) ?? new DataRoots([inner.Path]);
            contents = FolderContents.Read(root, bounds);
        }

        skipped.AddRange(contents.Skipped);
        if (root.Path != path)
        {
            notes.Add($"The data set is the folder '{Shown(Path.GetRelativePath(path, root.Path))}' inside.");
        }

        NoteFiles(root, contents, notes);
        var splits = contents.Folders.Any(folder => SplitFolders.Of(folder.Name) is not null)
            ? PlanSplits(root, contents, bounds, notes, skipped)
            : [PlanClasses(root, contents, bounds)];
        return new FolderPlan(root, bounds, splits, notes, skipped);
    }

    /// <summary>A folder that stands for nothing but its images.</summary>
    /// <param name="path">The source.</param>
    /// <param name="roots">Directories that links may lead to beside the source; null for none.</param>
    public static FolderPlan OfImages(string path, DataRoots? roots) =>
        new(SourceFolder.Root(path), roots?.With(path) ?? new DataRoots([path]), [], [], []);

    /// <summary>Refuses classes that hold splits, such as <c>cat/train</c> and <c>cat/test</c>.</summary>
    public static void ThrowIfSplitsBelow(SourceFolder classFolder, FolderContents contents)
    {
        var splits = contents.Folders.Where(folder => SplitFolders.Of(folder.Name) is not null).ToList();
        var kinds = splits.Select(folder => SplitFolders.Of(folder.Name)).Distinct().Count();
        if (kinds > 1 || (kinds == 1 && splits.Count == contents.Folders.Count && contents.Files.Count == 0))
        {
            throw new DatasetException(
                $"The class folder '{Shown(classFolder.Path)}' holds {Quote(splits)}, which are names of splits. Splits stand "
                    + $"above the classes: move the images to {splits[0].Name}/{Shown(classFolder.Name)}, or rename the folders."
            );
        }
    }

    private static SourceFolder? Inner(FolderContents contents, DataRoots bounds)
    {
        if (contents.Folders is not [var only] || SplitFolders.Of(only.Name) is not null || contents.Files.Any(IsImage))
        {
            return null;
        }

        var inner = FolderContents.Read(only, bounds);
        return inner.Folders.Count > 0 && !inner.Files.Any(IsImage) ? only : null;
    }

    private static PlannedSplit PlanClasses(SourceFolder root, FolderContents contents, DataRoots bounds)
    {
        if (contents.Folders.Count == 0)
        {
            throw new DatasetException(
                $"'{Shown(root.Path)}' has no class folders. Put one folder of images for each class there, or folders for splits "
                    + $"with such folders: {SplitFolders.Understood}; or a table of the images' labels, labels.csv.{AboutTables(contents)}"
            );
        }

        var alike = contents
            .Folders.Where(folder => SplitFolders.MentionedIn(folder.Name) is not null && HoldsFolders(folder, bounds))
            .ToList();
        var kinds = alike.Select(folder => SplitFolders.MentionedIn(folder.Name)).Distinct().Count();
        return kinds > 1 || (kinds == 1 && contents.Folders.All(folder => HoldsFolders(folder, bounds)))
            ? throw new DatasetException(
                $"'{Shown(root.Path)}' has {Quote(alike)}, which "
                    + $"{(alike.Count == 1 ? "looks like a split and is" : "look like splits and are")} not named so. Names of splits "
                    + $"are {SplitFolders.Understood}. Rename them; if they are classes, put all class folders into a folder 'train'."
            )
            : new PlannedSplit(root, SplitName.Unassigned, contents.Folders);
    }

    /// <summary>Tables are known by their names, so that no other one is taken for that of the labels.</summary>
    private static string AboutTables(FolderContents contents)
    {
        var names = contents
            .Files.Select(file => Path.GetFileName(file.Path))
            .Where(name => TableEndings.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase))
            .ToList();
        return names.Count == 0
            ? ""
            : $" {DatasetSource.Quote(names)} {DatasetSource.Plural(names.Count, "is", "are")} not read: rename the table of the labels to labels.csv.";
    }

    /// <summary>Whether a folder has folders, and no images beside them.</summary>
    private static bool HoldsFolders(SourceFolder folder, DataRoots bounds) =>
        FolderContents.Read(folder, bounds) is { Folders.Count: > 0 } contents && !contents.Files.Any(IsImage);

    private static List<PlannedSplit> PlanSplits(
        SourceFolder root,
        FolderContents contents,
        DataRoots bounds,
        List<string> notes,
        List<SkippedFile> skipped
    )
    {
        var named = contents.Folders.ToLookup(folder => SplitFolders.Of(folder.Name));
        if (named[null].Any())
        {
            throw new DatasetException(
                $"'{Shown(root.Path)}' has "
                    + $"{Quote([.. contents.Folders.Where(folder => SplitFolders.Of(folder.Name) is not null)])} beside "
                    + $"{Quote([.. named[null]])}, so it is unclear whether its folders are splits or classes. Names of splits are "
                    + $"{SplitFolders.Understood}. Rename or remove the others; if all are classes, put them into a folder 'train'."
            );
        }

        if (named.FirstOrDefault(split => split.Count() > 1) is { } twice)
        {
            throw new DatasetException(
                $"'{Shown(root.Path)}' has {Quote([.. twice])}, which mean the same split "
                    + $"({SplitFolders.Word(twice.Key!.Value)}). Keep one of them."
            );
        }

        var (train, validation, test) = (
            named[SplitName.Train].SingleOrDefault(),
            named[SplitName.Validation].SingleOrDefault(),
            named[SplitName.Test].SingleOrDefault()
        );
        if (train is null && validation is null)
        {
            throw new DatasetException(
                $"'{Shown(root.Path)}' has '{test!.Name}' and no images to train on. Put training images beside it, into a folder "
                    + $"'train'; or give the path of '{test.Name}' itself, and training, validation and test images are drawn from it."
            );
        }

        var splits = new List<PlannedSplit>();
        foreach (var (folder, split) in SplitRoles.Assign(train, validation, test, folder => folder.Name, "folder", notes))
        {
            splits.Add(PlanSplit(folder, split, bounds, notes, skipped));
        }

        return splits;
    }

    private static PlannedSplit PlanSplit(
        SourceFolder folder,
        SplitName split,
        DataRoots bounds,
        List<string> notes,
        List<SkippedFile> skipped
    )
    {
        var contents = FolderContents.Read(folder, bounds);
        skipped.AddRange(contents.Skipped);
        var inner = folder;
        // As training_set/training_set, in archives that were packed twice.
        while (
            contents.Folders is [var only]
            && !contents.Files.Any(IsImage)
            && SplitFolders.Of(only.Name) == SplitFolders.Of(folder.Name)
            && FolderContents.Read(only, bounds) is { Folders.Count: > 0 } below
        )
        {
            skipped.AddRange(below.Skipped);
            (inner, contents) = (only, below);
        }

        NoteFiles(inner, contents, notes);
        return contents.Folders.Count > 0
            ? new PlannedSplit(inner, split, contents.Folders)
            : throw new DatasetException(
                $"'{Shown(inner.Path)}' has no class folders, and its name is that of a split. Put one folder of images for each "
                    + "class there; images without labels cannot be used, so move them elsewhere."
            );
    }

    private static void NoteFiles(SourceFolder folder, FolderContents contents, List<string> notes)
    {
        if (contents.Files.Count > 0)
        {
            var names = contents.Files.Select(file => Path.GetFileName(file.Path)).ToList();
            notes.Add(
                $"{names.Count} {DatasetSource.Plural(names.Count, "file", "files")} in '{Shown(folder.Name)}' beside the folders "
                    + $"{DatasetSource.Plural(names.Count, "is", "are")} not read: {DatasetSource.Quote(names)}."
            );
        }
    }

    private static string Quote(IReadOnlyList<SourceFolder> folders) => DatasetSource.Quote([.. folders.Select(folder => folder.Name)]);

    private static string Shown(string text) => SafeText.Shorten(text, 400);
}
