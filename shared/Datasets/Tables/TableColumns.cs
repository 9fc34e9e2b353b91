using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>The columns of a table that are read, by their positions in its header.</summary>
/// <param name="Header">The names of all columns.</param>
/// <param name="Path">The column of paths.</param>
/// <param name="Label">The column of labels.</param>
/// <param name="Split">The column of splits; null where there is none.</param>
internal sealed record TableColumns(IReadOnlyList<string> Header, int Path, int Label, int? Split)
{
    private const string Paths = "path, file, file_name, filename, file_path, image or image_path";
    private const string Labels = "label, class or category";
    private const string Splits = "split or set";

    /// <summary>Finds them by their names, in any case, and with or without blanks, dashes and underscores.</summary>
    /// <param name="header">The names of all columns.</param>
    /// <param name="file">The table, for the error.</param>
    /// <exception cref="DatasetException">A column is missing, or two could be meant.</exception>
    public static TableColumns Find(IReadOnlyList<string> header, SourceFile file)
    {
        return new TableColumns(
            header,
            Only("the images' paths", Paths, "path", "file", "filename", "filepath", "image", "imagepath")
                ?? throw Missing("the images' paths", Paths),
            Only("the labels", Labels, "label", "class", "category") ?? throw Missing("the labels", Labels),
            Only("the splits", Splits, "split", "set")
        );

        int? Only(string what, string understood, params string[] names)
        {
            var found = Enumerable
                .Range(0, header.Count)
                .Where(column => names.Contains(Plain(header[column]), StringComparer.Ordinal))
                .ToList();
            return found.Count switch
            {
                0 => null,
                1 => found[0],
                _ => throw new DatasetException(
                    $"'{LabelTable.Shown(file.Path)}' has the columns {DatasetSource.Quote([.. found.Select(column => header[column])])}, and any "
                        + $"of them may be {what} ({understood}). Rename those that are not."
                ),
            };
        }

        DatasetException Missing(string what, string understood) =>
            new(
                $"'{LabelTable.Shown(file.Path)}' has no column of {what}: {understood}. It has {DatasetSource.Plural(header.Count, "the column", "the columns")} "
                    + $"{DatasetSource.Quote([.. header])}. Name the column so in the first line; or, if the file is no table of the images' labels, rename or remove it, and class folders are read."
            );
    }

    /// <summary>The names of the columns that are read.</summary>
    public string Shown()
    {
        var names = new List<int> { Path, Label };
        if (Split is { } split)
        {
            names.Add(split);
        }

        return DatasetSource.Quote([.. names.Select(column => Header[column])]);
    }

    private static string Plain(string name) => string.Concat(name.Where(letter => letter is not (' ' or '-' or '_'))).ToLowerInvariant();
}
