using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Distributed.Evaluation.Reporting;

/// <summary>
/// Collects HTML from interpolated strings: what stands in the source is markup, what stands in a hole is text and is
/// encoded. There is no way to add a plain string as markup, so a name that nobody thought of cannot break the page.
/// </summary>
internal sealed class HtmlBuilder
{
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    private readonly StringBuilder _html = new();

    /// <summary>Adds markup with encoded holes.</summary>
    public void Add([InterpolatedStringHandlerArgument("")] ref HtmlTemplate template) => _html.Append('\n');

    /// <summary>Writes what was collected and forgets it.</summary>
    public async Task FlushAsync(StreamWriter writer, CancellationToken cancellationToken)
    {
        foreach (var chunk in _html.GetChunks())
        {
            await writer.WriteAsync(chunk, cancellationToken);
        }

        _html.Clear();
    }

    /// <summary>The interpolated strings that <see cref="Add"/> takes.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct HtmlTemplate
    {
        private readonly StringBuilder _html;

        public HtmlTemplate(int literalLength, int formattedCount, HtmlBuilder builder)
        {
            _html = builder._html;
            _html.EnsureCapacity(_html.Length + literalLength + (formattedCount * 8));
        }

        public void AppendLiteral(string markup) => _html.Append(markup);

        public void AppendFormatted(string? text) => _html.Append(Encoder.Encode(text ?? ""));

        public void AppendFormatted(Markup markup) => _html.Append(markup.Html);

        public void AppendFormatted(Base64 bytes) => _html.Append(Convert.ToBase64String(bytes.Bytes));

        public void AppendFormatted<T>(T value, string? format = null)
            where T : IFormattable => AppendFormatted(value.ToString(format, CultureInfo.InvariantCulture));
    }
}

/// <summary>Markup that this program wrote itself, to stand in a hole unencoded.</summary>
internal readonly record struct Markup(string Html);

/// <summary>Bytes to stand in a hole as Base64.</summary>
internal readonly record struct Base64(byte[] Bytes);
