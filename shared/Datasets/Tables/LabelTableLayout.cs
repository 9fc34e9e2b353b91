using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Datasets.Tables;

/// <summary>
/// Lists images whose labels stand in a table beside them, whatever folders they lie in. A path of the table is never opened: it is looked up among
/// the files that were found in the folder, so it cannot lead out of it.
/// </summary>
internal static class LabelTableLayout
{
    /// <summary>Lists the images; null where there is no table.</summary>
    /// <exception cref="DatasetException">The table cannot be understood, or does not fit the files.</exception>
    public static FileIndex? TryList(
        string path,
        DataRoots? roots,
        IProgress<IndexingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        if (LabelledFolder.Find(path, roots) is not { } folder)
        {
            return null;
        }

        var listing = new ImageListing(folder.Root, folder.Roots, progress, cancellationToken);
        listing.Skipped.AddRange(folder.Skipped);
        listing.Notes.AddRange(folder.Notes);
        var images = new List<LabelledImage>();
        foreach (var placed in folder.Tables)
        {
            var table = LabelTableReader.Read(placed.File, placed.Folder, folder.Roots, cancellationToken);
            var files = listing.Find([placed.Folder], static (_, _) => { });
            var labelled = LabelledImage.Match(table, placed, files);
            images.AddRange(labelled);
            listing.Notes.Add(
                $"Labels are read from '{DatasetSource.RelativeName(folder.Root.Path, placed.File.Path)}', columns {table.Columns.Shown()}, {table.Rows.Count} {DatasetSource.Plural(table.Rows.Count, "row", "rows")}."
            );
            Leave(listing, table, [.. files.Except(labelled.Select(image => image.File)).Where(file => file != placed.File)]);
        }

        var shown = LabelTable.Shown(folder.Tables.Count == 1 ? folder.Tables[0].File.Path : folder.Root.Path);
        var groups = Assign(images, shown, listing.Notes);
        foreach (var (split, role) in groups)
        {
            Add(listing, split, role, groups[0].Split.Name, shown);
        }

        return listing.ToFileIndex(remedy: "");
    }

    /// <summary>What has no row is not used: an image is counted, other files are noted.</summary>
    private static void Leave(ImageListing listing, LabelTable table, List<SourceFile> files)
    {
        var others = new List<string>();
        foreach (var file in files.OrderBy(file => file.Path, StringComparer.Ordinal))
        {
            if (FolderPlan.IsImage(file))
            {
                listing.Skipped.Add(
                    new SkippedFile(FolderContents.SkippedName(file.Path), SkipReason.NoLabel, $"no row of '{table.Name}' names it")
                );
            }
            else
            {
                others.Add(Path.GetFileName(file.Path));
            }
        }

        if (others.Count > 0)
        {
            listing.Notes.Add(
                $"{others.Count} {DatasetSource.Plural(others.Count, "file", "files")} without a row in '{table.Name}' and without the name of an image "
                    + $"{DatasetSource.Plural(others.Count, "is", "are")} not read: {DatasetSource.Quote(others)}."
            );
        }
    }

    /// <summary>The images of one split.</summary>
    /// <param name="Name">What the source calls it; empty where it names none.</param>
    /// <param name="Images">The images.</param>
    private sealed record TableSplit(string Name, IReadOnlyList<LabelledImage> Images);

    private static List<(TableSplit Split, SplitName Role)> Assign(List<LabelledImage> images, string shown, List<string> notes)
    {
        var splits = images
            .GroupBy(image => image.Split)
            .ToDictionary(group => group.Key ?? SplitName.Unassigned, group => new TableSplit(group.First().SplitText, [.. group]));
        if (splits.TryGetValue(SplitName.Unassigned, out var all))
        {
            return [(all, SplitName.Unassigned)];
        }

        var (train, validation, test) = (
            splits.GetValueOrDefault(SplitName.Train),
            splits.GetValueOrDefault(SplitName.Validation),
            splits.GetValueOrDefault(SplitName.Test)
        );
        return train is null && validation is null
            ? throw new DatasetException(
                $"'{shown}' has images of the split '{LabelTable.Shown(test!.Name)}' and none to train on. Add rows of the split 'train'; or leave the splits out, and training, validation and test images are drawn from all."
            )
            : SplitRoles.Assign(train, validation, test, split => split.Name, "split in the table", notes);
    }

    private static void Add(ImageListing listing, TableSplit split, SplitName role, string first, string shown)
    {
        var classes = split
            .Images.GroupBy(image => image.Class, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .ToList();
        if (listing.NameClasses([.. classes.Select(group => group.Key)]) is { Count: > 0 } unknown)
        {
            throw new DatasetException(
                $"'{shown}' has {DatasetSource.Plural(unknown.Count, "the class", "the classes")} {DatasetSource.Quote(unknown)} in the split '{LabelTable.Shown(split.Name)}' and not in '{LabelTable.Shown(first)}'. "
                    + "Add training images of the class, or remove its rows."
            );
        }

        var before = listing.Count;
        foreach (var group in classes)
        {
            listing.Add(group.Select(image => image.File), listing.LabelOf(group.Key), role);
        }

        if (role is SplitName.Validation or SplitName.Test)
        {
            listing.NoteMissing(split.Name, before);
        }
    }
}
