using Distributed.Datasets.Tables;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>Lists image files in class folders, with or without split folders above them; <see cref="FolderPlan"/> has the rules.</summary>
internal static class ImageFolderLayout
{
    public static FileIndex List(string path, DataRoots? roots, IProgress<IndexingProgress>? progress, CancellationToken cancellationToken)
    {
        var plan = FolderPlan.Make(path, roots);
        var listing = Begin(plan, progress, cancellationToken);
        foreach (var split in plan.Splits)
        {
            Add(listing, plan, split);
        }

        return listing.ToFileIndex(" Put one folder of images for each class there, or train/, val/ and test/ with such folders.");
    }

    /// <summary>Lists all images below a folder, without labels and splits; tables of labels are not read.</summary>
    public static FileIndex ListImages(
        string path,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var plan = FolderPlan.OfImages(path, roots);
        var listing = Begin(plan, progress, cancellationToken);
        var files = listing.Find([plan.Root], static (_, _) => { });
        listing.Add(files.Where(file => !LabelTableReader.IsTable(file)), label: 0, SplitName.Unassigned);
        return listing.ToFileIndex(remedy: "");
    }

    private static ImageListing Begin(FolderPlan plan, IProgress<IndexingProgress>? progress, CancellationToken cancellationToken)
    {
        var listing = new ImageListing(plan.Root, plan.Roots, progress, cancellationToken);
        listing.Skipped.AddRange(plan.Skipped);
        listing.Notes.AddRange(plan.Notes);
        return listing;
    }

    /// <summary>Adds a split; the first one names the classes.</summary>
    private static void Add(ImageListing listing, FolderPlan plan, PlannedSplit split)
    {
        // Two ways to write one name, such as é in one character or two, are one class.
        var classes = split
            .Classes.GroupBy(folder => ClassName.Read(folder.Name, folder.Path), StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .ToList();
        foreach (var spelt in classes.Where(group => group.Skip(1).Any()))
        {
            listing.Notes.Add(
                $"{spelt.Count()} folders in '{Shown(split.Folder.Name)}' have the name '{spelt.Key}' in different Unicode forms; they are one class."
            );
        }

        ThrowIfUnknown(plan, split, listing.NameClasses([.. classes.Select(group => group.Key)]));
        var before = listing.Count;
        foreach (var group in classes)
        {
            listing.Add(listing.Find([.. group], FolderPlan.ThrowIfSplitsBelow), listing.LabelOf(group.Key), split.Split);
        }

        if (split.Split is SplitName.Validation or SplitName.Test)
        {
            ThrowIfEmpty(split, listing.Count - before);
            listing.NoteMissing(split.Folder.Name, before);
        }
    }

    private static void ThrowIfUnknown(FolderPlan plan, PlannedSplit split, List<string> unknown)
    {
        if (unknown.Count > 0)
        {
            throw new DatasetException(
                $"'{Shown(split.Folder.Path)}' has {DatasetSource.Plural(unknown.Count, "class folder", "class folders")} {DatasetSource.Quote(unknown)} that '{Shown(plan.Splits[0].Folder.Path)}' does not have. Add the class there, or remove it."
            );
        }
    }

    private static void ThrowIfEmpty(PlannedSplit split, int images)
    {
        if (images == 0)
        {
            throw new DatasetException(
                $"'{Shown(split.Folder.Path)}' has no images. Fill its class folders, or remove it so that the split is drawn from the other images."
            );
        }
    }

    private static string Shown(string text) => SafeText.Shorten(text, 400);
}
