using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>
/// The splits of a table's rows: those of its column; where it has none, that of the folder that it stands in; where that is no split's, those of the
/// folders that all its paths begin with, as <c>train/1.jpg</c>; else none.
/// </summary>
internal sealed class TableSplits
{
    private readonly Func<LabelRow, string> _text;

    private TableSplits(Func<LabelRow, string> text) => _text = text;

    /// <summary>Decides where the splits stand.</summary>
    /// <exception cref="DatasetException">Some rows have a split and others none, or one that is not understood.</exception>
    public static TableSplits Of(LabelTable table, PlacedTable placed)
    {
        var hasColumn = table.Columns.Split is not null && table.Rows.Any(row => row.Split.Length > 0);
        if (hasColumn)
        {
            table.ThrowIfAny(
                row => SplitFolders.Of(row.Split) is null,
                "whose split is missing or not understood",
                $"Every row has one of {SplitFolders.Understood}; or remove the column, and the splits are drawn."
            );
        }

        if (placed.Split is { } only)
        {
            table.ThrowIfAny(
                row => hasColumn && SplitFolders.Of(row.Split) != only,
                $"of another split than the folder '{LabelTable.Shown(placed.Folder.Name)}' that the table stands in",
                "Move the rows and their images, or put one table for all into the folder above."
            );
            return new TableSplits(_ => placed.Folder.Name);
        }

        if (hasColumn)
        {
            return new TableSplits(row => row.Split);
        }

        var inSplits = table.Rows.Count(row => SplitFolders.Of(FirstFolder(row)) is not null);
        if (inSplits == 0)
        {
            return new TableSplits(_ => "");
        }

        table.ThrowIfAny(
            row => SplitFolders.Of(FirstFolder(row)) is null,
            "whose image does not lie in a split's folder, as those of other rows do",
            "Add a column 'split' that says what every image is for."
        );
        return new TableSplits(FirstFolder);
    }

    /// <summary>The split of a row, and what the source calls it.</summary>
    public (SplitName? Split, string Text) Of(LabelRow row)
    {
        var text = _text(row);
        return (SplitFolders.Of(text), text);
    }

    private static string FirstFolder(LabelRow row) => TablePath.Parts(row.Path).SkipLast(1).FirstOrDefault("");
}
