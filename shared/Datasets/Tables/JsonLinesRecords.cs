using System.Text.Json;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>Reads the records of a table whose lines are JSON objects. The columns are the names in the first one.</summary>
internal static class JsonLinesRecords
{
    private const string Form = "Each line is a JSON object such as {\"file_name\": \"1.jpg\", \"label\": \"cat\"}.";

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>The names of the columns, then one record a line. Lines without text are passed over; what an object has not, and lists and objects in it, are empty fields.</summary>
    /// <param name="text">The table.</param>
    /// <param name="file">Its file, for errors.</param>
    /// <exception cref="DatasetException">A line is no JSON object.</exception>
    public static IEnumerable<TableRecord> Read(TextReader text, SourceFile file)
    {
        string[]? columns = null;
        for (var line = 1; text.ReadLine() is { } json; line++)
        {
            if (string.IsNullOrWhiteSpace(json))
            {
                continue;
            }

            var isFirst = columns is null;
            string[] fields;
            try
            {
                using var document = JsonDocument.Parse(json, Strict);
                if (document.RootElement.ValueKind != JsonValueKind.Object)
                {
                    throw new DatasetException($"{Place(file, line)}: this is no JSON object. {Form}");
                }

                columns ??= [.. document.RootElement.EnumerateObject().Select(property => property.Name)];
                fields = Array.ConvertAll(columns, column => Text(document.RootElement, column));
            }
            // An escape of half a character is found where the text is asked for.
            catch (Exception exception) when (exception is JsonException or InvalidOperationException)
            {
                throw new DatasetException($"{Place(file, line)}: this is not JSON: {exception.Message} {Form}", exception);
            }

            if (isFirst)
            {
                yield return new TableRecord(line, columns);
            }

            yield return new TableRecord(line, fields);
        }
    }

    private static string Text(JsonElement row, string column) =>
        !row.TryGetProperty(column, out var value)
            ? ""
            : value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!.Trim(),
                JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
                _ => "",
            };

    private static string Place(SourceFile file, int line) => $"'{LabelTable.Shown(file.Path)}', line {line}";
}
