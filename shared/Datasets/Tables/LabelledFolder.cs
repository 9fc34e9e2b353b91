using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>A table of labels where it was found.</summary>
/// <param name="Folder">The folder that its paths are relative to.</param>
/// <param name="File">The table.</param>
/// <param name="Split">The split that the folder's name means; null for the data set's folder, whose table says it itself.</param>
internal sealed record PlacedTable(SourceFolder Folder, SourceFile File, SplitName? Split);

/// <summary>
/// A folder whose labels stand in tables: one in the folder, or one in each of its split folders. Folders that hold nothing but another one are
/// passed through, as in <see cref="FolderPlan"/>.
/// </summary>
/// <param name="Root">The folder that names are relative to.</param>
/// <param name="Roots">The directories that links may lead to.</param>
/// <param name="Tables">The tables, at least one.</param>
/// <param name="Notes">What is worth telling.</param>
/// <param name="Skipped">What was skipped on the way; the names are absolute paths.</param>
internal sealed record LabelledFolder(
    SourceFolder Root,
    DataRoots Roots,
    IReadOnlyList<PlacedTable> Tables,
    IReadOnlyList<string> Notes,
    IReadOnlyList<SkippedFile> Skipped
)
{
    /// <summary>Looks for tables.</summary>
    /// <param name="path">The source.</param>
    /// <param name="roots">Directories that links may lead to beside the source; null for none.</param>
    /// <returns>Null where there are none.</returns>
    /// <exception cref="DatasetException">There are several where one is meant, or one is missing.</exception>
    public static LabelledFolder? Find(string path, DataRoots? roots)
    {
        var root = SourceFolder.Root(path);
        var skipped = new List<SkippedFile>();
        for (var depth = 0; ; depth++)
        {
            var bounds = roots?.With(root.Path) ?? new DataRoots([root.Path]);
            var contents = FolderContents.Read(root, bounds);
            skipped.AddRange(contents.Skipped);
            var tables = LabelTableReader.Find(root, contents) is { } table
                ? [new PlacedTable(root, table, Split: null)]
                : FindInSplits(root, contents, bounds, skipped);
            if (tables.Count > 0)
            {
                return new LabelledFolder(root, bounds, tables, Describe(path, root, contents, tables), skipped);
            }

            if (
                depth == FolderPlan.MaximalOuterFolders
                || contents.Folders is not [var only]
                || SplitFolders.Of(only.Name) is not null
                || contents.Files.Any(FolderPlan.IsImage)
            )
            {
                return null;
            }

            root = SourceFolder.Root(only.Path);
        }
    }

    private static List<PlacedTable> FindInSplits(SourceFolder root, FolderContents contents, DataRoots bounds, List<SkippedFile> skipped)
    {
        var tables = new List<PlacedTable>();
        var without = new List<string>();
        foreach (var folder in contents.Folders)
        {
            if (SplitFolders.Of(folder.Name) is not { } split)
            {
                continue;
            }

            var inside = FolderContents.Read(folder, bounds);
            if (LabelTableReader.Find(folder, inside) is { } table)
            {
                tables.Add(new PlacedTable(folder, table, split));
                skipped.AddRange(inside.Skipped);
            }
            else
            {
                without.Add(folder.Name);
            }
        }

        if (tables.Count > 0 && without.Count > 0)
        {
            throw new DatasetException(
                $"'{LabelTable.Shown(tables[0].Folder.Path)}' has the table '{Path.GetFileName(tables[0].File.Path)}', and there is none in {DatasetSource.Quote(without)} "
                    + $"beside it. Put one there, or one for all into '{LabelTable.Shown(root.Path)}'; or rename or remove the table, and class folders are read."
            );
        }

        if (tables.GroupBy(table => table.Split).FirstOrDefault(split => split.Skip(1).Any()) is { } twice)
        {
            throw new DatasetException(
                $"'{LabelTable.Shown(root.Path)}' has {DatasetSource.Quote([.. twice.Select(table => table.Folder.Name)])}, which mean the same split "
                    + $"({SplitFolders.Word(twice.Key!.Value)}). Keep one of them."
            );
        }

        return tables;
    }

    private static List<string> Describe(string path, SourceFolder root, FolderContents contents, List<PlacedTable> tables)
    {
        var notes = new List<string>();
        if (root.Path != path)
        {
            notes.Add($"The data set is the folder '{LabelTable.Shown(Path.GetRelativePath(path, root.Path))}' inside.");
        }

        var unread = contents.Folders.Where(folder => SplitFolders.Of(folder.Name) is null).Select(folder => folder.Name).ToList();
        if (tables[0].Split is not null && unread.Count > 0)
        {
            notes.Add(
                $"{unread.Count} {DatasetSource.Plural(unread.Count, "folder", "folders")} beside those with tables "
                    + $"{DatasetSource.Plural(unread.Count, "is", "are")} not read: {DatasetSource.Quote(unread)}."
            );
        }

        return notes;
    }
}
