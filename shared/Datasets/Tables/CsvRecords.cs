using System.Globalization;
using CsvHelper;
using CsvHelper.Configuration;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>Reads the records of a table as RFC 4180 has them. Fields are separated by what the first line has most of: commas, semicolons or tabs.</summary>
internal static class CsvRecords
{
    private const int MostColumns = 1000;

    private static readonly char[] Separators = [',', ';', '\t'];

    /// <summary>The names of the columns, then one record a row.</summary>
    /// <param name="text">The table.</param>
    /// <param name="file">Its file, for errors.</param>
    /// <exception cref="DatasetException">A row is no record, or has more or fewer fields than there are columns.</exception>
    public static IEnumerable<TableRecord> Read(TextReader text, SourceFile file)
    {
        var line = 0;
        string? first;
        do
        {
            first = text.ReadLine();
            line++;
        } while (first is not null && string.IsNullOrWhiteSpace(first));
        if (first is null)
        {
            yield break;
        }

        var separator = Separators.MaxBy(separator => Count(first, separator));
        using var names = new StringReader(first);
        var columns = ReadFrom(names, line - 1, separator, file).First();
        yield return columns;
        foreach (var record in ReadFrom(text, line, separator, file))
        {
            if (!record.IsBlank && record.Fields.Length != columns.Fields.Length)
            {
                throw new DatasetException(
                    $"{Place(file, record.Line)}: the row has {record.Fields.Length} {DatasetSource.Plural(record.Fields.Length, "field", "fields")}, and the first line names {columns.Fields.Length}. Put a field that has a separator in it in quotes."
                );
            }

            yield return record;
        }
    }

    private static IEnumerable<TableRecord> ReadFrom(TextReader text, int linesBefore, char separator, SourceFile file)
    {
        using var parser = new CsvParser(
            text,
            new CsvConfiguration(CultureInfo.InvariantCulture)
            {
                Delimiter = separator.ToString(),
                BadDataFound = bad =>
                    throw new DatasetException(
                        $"{Place(file, linesBefore + bad.Context.Parser!.RawRow)}: a field has a quote inside, or one that is not closed. Put the field in quotes, and write its own quotes twice."
                    ),
            },
            leaveOpen: true
        );
        while (parser.Read())
        {
            if (parser.Count > MostColumns)
            {
                throw new DatasetException(
                    $"{Place(file, linesBefore + parser.RawRow)}: the row has {parser.Count} fields; the most is {MostColumns}. Remove columns that are not read."
                );
            }

            yield return new TableRecord(linesBefore + parser.RawRow, Array.ConvertAll(parser.Record!, field => field.Trim()));
        }
    }

    /// <summary>How often a separator stands in a line outside of quotes.</summary>
    private static int Count(string line, char separator)
    {
        var (count, isQuoted) = (0, false);
        foreach (var character in line)
        {
            isQuoted ^= character == '"';
            count += character == separator && !isQuoted ? 1 : 0;
        }

        return count;
    }

    private static string Place(SourceFile file, int line) => $"'{LabelTable.Shown(file.Path)}', line {line}";
}
