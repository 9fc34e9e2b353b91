namespace Distributed.Datasets.Tables;

/// <summary>One record of a table. The first one has the names of the columns, and every other one a text for each of them.</summary>
/// <param name="Line">The line that it ends in, from 1.</param>
/// <param name="Fields">The texts, without blanks around them.</param>
internal readonly record struct TableRecord(int Line, string[] Fields)
{
    /// <summary>Whether it has no text, as the rows that spreadsheets leave at the end. Then it may have any number of fields.</summary>
    public bool IsBlank => Array.TrueForAll(Fields, static text => text.Length == 0);
}
