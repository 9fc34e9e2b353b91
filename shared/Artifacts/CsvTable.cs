using System.Globalization;
using System.Text;
using CsvHelper;
using CsvHelper.Configuration;

namespace Distributed.Artifacts;

/// <summary>
/// A table for spreadsheets and programs, as RFC 4180 has it, in UTF-8. Names are the user's own, and some begin as a spreadsheet's formulas do: those get an apostrophe.
/// </summary>
public sealed class CsvTable : IAsyncDisposable
{
    private static readonly CsvConfiguration Configuration = new(CultureInfo.InvariantCulture)
    {
        NewLine = "\r\n",
        InjectionOptions = InjectionOptions.Escape,
        InjectionEscapeCharacter = '\'',
    };

    private readonly CsvWriter _writer;

    /// <summary>Begins a table.</summary>
    /// <param name="stream">Where to; it is not closed.</param>
    public CsvTable(Stream stream) =>
        _writer = new CsvWriter(new StreamWriter(stream, new UTF8Encoding(false), bufferSize: 1 << 16, leaveOpen: true), Configuration);

    /// <summary>A share, or another number of which six decimals are enough.</summary>
    public static string Number(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    /// <summary>Writes a row: the names of the columns, or values.</summary>
    public async Task WriteAsync(params IEnumerable<string> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        foreach (var field in fields)
        {
            _writer.WriteField(field);
        }

        await _writer.NextRecordAsync();
    }

    /// <summary>Writes what is left.</summary>
    public ValueTask DisposeAsync() => _writer.DisposeAsync();
}
