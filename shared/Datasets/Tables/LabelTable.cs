using Distributed.Datasets.Sources;
using Distributed.Storage;

namespace Distributed.Datasets.Tables;

/// <summary>One row of a table of labels.</summary>
/// <param name="Line">The line of the file that it ends in, from 1.</param>
/// <param name="Path">The image's path as it stands there, without blanks around it.</param>
/// <param name="Label">The label, without blanks around it; empty for none.</param>
/// <param name="Split">The split, without blanks around it; empty for none.</param>
internal readonly record struct LabelRow(int Line, string Path, string Label, string Split);

/// <summary>A table of labels as its file has it. What its paths lead to is not looked at.</summary>
/// <param name="File">The file.</param>
/// <param name="Columns">The columns that are read.</param>
/// <param name="Rows">The rows, at least one.</param>
internal sealed record LabelTable(SourceFile File, TableColumns Columns, IReadOnlyList<LabelRow> Rows)
{
    /// <summary>The file's name.</summary>
    public string Name => Path.GetFileName(File.Path);

    /// <summary>Refuses the table where rows of it are wrong; the error names the first of them.</summary>
    /// <param name="isWrong">Whether a row is.</param>
    /// <param name="what">What is wrong with them, between "3 rows" and the list: "whose file is not there".</param>
    /// <param name="remedy">What to do, a sentence.</param>
    /// <exception cref="DatasetException">Some are.</exception>
    public void ThrowIfAny(Func<LabelRow, bool> isWrong, string what, string remedy)
    {
        const int MostShown = 5;
        var wrong = Rows.Where(isWrong).ToList();
        if (wrong.Count > 0)
        {
            var shown = wrong.Take(MostShown).Select(row => $"'{Shown(row.Path)}' (line {row.Line})");
            throw new DatasetException(
                $"'{Shown(File.Path)}' has {wrong.Count} {DatasetSource.Plural(wrong.Count, "row", "rows")} {what}: {string.Join(", ", shown)}"
                    + $"{(wrong.Count > MostShown ? $" and {wrong.Count - MostShown} more" : "")}. {remedy}"
            );
        }
    }

    /// <summary>Text of the table as it may stand in a message.</summary>
    public static string Shown(string text) => SafeText.Shorten(text, 400);
}
