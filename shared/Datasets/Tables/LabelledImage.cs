using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>An image with what the table says of it.</summary>
/// <param name="File">The image's file.</param>
/// <param name="Class">The name of its class.</param>
/// <param name="Split">Its split; null where nothing names one.</param>
/// <param name="SplitText">The split as the table or the folder calls it; empty where nothing names one.</param>
internal sealed record LabelledImage(SourceFile File, string Class, SplitName? Split, string SplitText)
{
    /// <summary>Finds the files that the rows of a table name.</summary>
    /// <param name="table">The table.</param>
    /// <param name="placed">Where it is.</param>
    /// <param name="files">The files in its folder, at any depth.</param>
    /// <returns>One image for each file that is named.</returns>
    /// <exception cref="DatasetException">Rows name no file or no label, or contradict each other.</exception>
    public static List<LabelledImage> Match(LabelTable table, PlacedTable placed, IReadOnlyCollection<SourceFile> files)
    {
        table.ThrowIfAny(row => row.Path.Length == 0, "without a path", "Fill it in, or remove them.");
        table.ThrowIfAny(row => row.Label.Length == 0, "without a label", "Fill it in, or remove them: their images are skipped then.");
        table.ThrowIfAny(
            row => TablePath.LeadsOut(row.Path),
            "whose path is not one below the table's folder",
            $"Write the paths from '{LabelTable.Shown(placed.Folder.Path)}' on, without '..'."
        );
        var names = new TablePath(placed.Folder, files);
        table.ThrowIfAny(
            row => names.Find(row.Path) is null,
            "whose file is not there",
            $"Put the files into '{LabelTable.Shown(placed.Folder.Path)}', where the paths begin, or remove the rows."
        );

        var splits = TableSplits.Of(table, placed);
        var seen = new Dictionary<SourceFile, LabelRow>();
        var classes = new Dictionary<string, string>(StringComparer.Ordinal);
        var images = new List<LabelledImage>(table.Rows.Count);
        foreach (var row in table.Rows)
        {
            var file = names.Find(row.Path)!;
            if (!classes.TryGetValue(row.Label, out var className))
            {
                classes.Add(row.Label, className = ClassName.Read(row.Label, $"{table.File.Path}, line {row.Line}"));
            }

            var (split, text) = splits.Of(row);
            if (seen.TryAdd(file, row))
            {
                images.Add(new LabelledImage(file, className, split, text));
            }
            else
            {
                ThrowIfOther(table, seen[file], row, splits, classes);
            }
        }

        return images;
    }

    /// <summary>A row may stand there twice, but not with two meanings.</summary>
    private static void ThrowIfOther(
        LabelTable table,
        LabelRow first,
        LabelRow second,
        TableSplits splits,
        Dictionary<string, string> classes
    )
    {
        if (classes[first.Label] != classes[second.Label])
        {
            throw Contradiction("labels", first.Label, second.Label);
        }

        if (splits.Of(first).Split != splits.Of(second).Split)
        {
            throw Contradiction("splits", first.Split, second.Split);
        }

        DatasetException Contradiction(string what, string one, string other) =>
            new(
                $"'{LabelTable.Shown(table.File.Path)}' names '{LabelTable.Shown(second.Path)}' with two {what}: '{LabelTable.Shown(one)}' in line {first.Line} and '{LabelTable.Shown(other)}' in line {second.Line}. Remove one of the rows."
            );
    }
}
