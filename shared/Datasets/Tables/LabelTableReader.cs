using System.Text;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>Reads tables of labels: <c>labels.csv</c>, and <c>metadata.csv</c> or <c>metadata.jsonl</c> as Hugging Face's ImageFolder has them.</summary>
/// <remarks>Hugging Face, "Create an image dataset", ImageFolder.</remarks>
internal static class LabelTableReader
{
    /// <summary>The most bytes of a table: a hundred for each of the most images of a data set.</summary>
    public const long MostBytes = 512L << 20;

    /// <summary>The most characters of a row; it may have columns of text that are not read.</summary>
    public const int MostRowCharacters = 1 << 20;

    private static readonly string[] Names = ["labels.csv", "metadata.csv", "metadata.jsonl"];

    // Strict: what is no UTF-8 is an error; a byte order mark is passed over.
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    /// <summary>Whether a file has the name of a table of labels, in any case.</summary>
    public static bool IsTable(SourceFile file) => Names.Contains(Path.GetFileName(file.Path), StringComparer.OrdinalIgnoreCase);

    /// <summary>The table in a folder; null where there is none.</summary>
    /// <exception cref="DatasetException">There are several.</exception>
    public static SourceFile? Find(SourceFolder folder, FolderContents contents)
    {
        var found = contents.Files.Where(IsTable).ToList();
        return found.Count <= 1
            ? found.SingleOrDefault()
            : throw new DatasetException(
                $"'{LabelTable.Shown(folder.Path)}' has {DatasetSource.Quote([.. found.Select(file => Path.GetFileName(file.Path))])}, and labels come from one table. Keep one of them."
            );
    }

    /// <summary>Reads a table.</summary>
    /// <param name="file">The file.</param>
    /// <param name="root">The folder that it lies in.</param>
    /// <param name="roots">Directories that links may lead to.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="DatasetException">It is no table, has no column of paths or of labels, or is too large.</exception>
    public static LabelTable Read(SourceFile file, SourceFolder root, DataRoots roots, CancellationToken cancellationToken)
    {
        var shown = LabelTable.Shown(file.Path);
        // Pipes and devices have no length; opening one would wait for a writer.
        if (new FileInfo(file.RealPath).Length is var length && length is 0 or > MostBytes)
        {
            throw new DatasetException(
                length == 0
                    ? $"'{shown}' is empty. A table of labels has a line with the names of its columns, and one for each image; rename or remove it if class folders are to be read."
                    : $"'{shown}' has {length} bytes; the most of a table is {MostBytes}. Remove the columns that are not read, or divide the data set."
            );
        }

        var line = 0;
        using var handle = Confinement.OpenRead(root.Path, file.Path, FileOptions.SequentialScan, roots);
        using var stream = new FileStream(handle, FileAccess.Read);
        using var text = new StreamReader(stream, Utf8, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 14);
        using var bounded = new BoundedTextReader(
            text,
            MostRowCharacters,
            () =>
                new DatasetException(
                    $"'{shown}', after line {line}: a row has more than {MostRowCharacters} characters. Look for a quote that is not closed there."
                )
        );
        var records = file.Path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
            ? JsonLinesRecords.Read(bounded, file)
            : CsvRecords.Read(bounded, file);
        TableColumns? columns = null;
        var rows = new List<LabelRow>();
        // Labels and splits are few, and stand in many rows.
        var words = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            foreach (var record in records)
            {
                cancellationToken.ThrowIfCancellationRequested();
                bounded.Restart();
                line = record.Line;
                if (columns is null)
                {
                    columns = TableColumns.Find(record.Fields, file);
                    continue;
                }

                if (record.IsBlank)
                {
                    continue;
                }

                if (rows.Count == DatasetSource.MaximalImages)
                {
                    throw new DatasetException(
                        $"'{shown}' has more than {DatasetSource.MaximalImages} rows, the most images of a data set. Divide it."
                    );
                }

                var fields = record.Fields;
                rows.Add(
                    new LabelRow(
                        line,
                        fields[columns.Path],
                        Shared(fields[columns.Label]),
                        columns.Split is { } split ? Shared(fields[split]) : ""
                    )
                );
            }
        }
        catch (DecoderFallbackException exception)
        {
            throw new DatasetException(
                $"'{shown}', after line {line}: the text is not UTF-8. Save it again in that encoding (in spreadsheets \"CSV UTF-8\").",
                exception
            );
        }

        return rows.Count > 0
            ? new LabelTable(file, columns!, rows)
            : throw new DatasetException($"'{shown}' has no rows. Add one for each image, with its path and label.");

        string Shared(string word) => words.TryGetValue(word, out var known) ? known : words[word] = word;
    }
}
