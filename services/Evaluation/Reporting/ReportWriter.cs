using System.Text;

namespace Distributed.Evaluation.Reporting;

/// <summary>
/// Writes the report of a run as one HTML file that needs nothing else: no network, no script, no other file. It says
/// nothing that the model does not say, so the same model gives the same bytes.
/// </summary>
public static class ReportWriter
{
    /// <summary>Writes the report.</summary>
    /// <param name="stream">Where to; left open.</param>
    /// <param name="model">What to show.</param>
    /// <param name="cancellationToken">Stops between sections.</param>
    /// <exception cref="ArgumentException">The matrix or the class metrics do not fit the class names.</exception>
    public static async Task WriteAsync(Stream stream, ReportModel model, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(model);
        ThrowIfUneven(model);

        var writer = new StreamWriter(
            stream,
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            bufferSize: 1 << 15,
            leaveOpen: true
        );
        await using (writer.ConfigureAwait(false))
        {
            var html = new HtmlBuilder();
            foreach (var section in Sections)
            {
                cancellationToken.ThrowIfCancellationRequested();
                section(html, model);
                await html.FlushAsync(writer, cancellationToken);
            }
        }
    }

    private static readonly Action<HtmlBuilder, ReportModel>[] Sections =
    [
        Begin,
        HeadlineSection.Write,
        ComparisonSection.Write,
        LearningSection.Write,
        ConfusionSection.Write,
        ClassSection.Write,
        ReliabilitySection.Write,
        GallerySection.WriteGallery,
        GallerySection.WriteMistakes,
        AuditSection.WriteLabels,
        AuditSection.WriteDuplicates,
        DatasetSection.Write,
        StageSection.Write,
        RepeatSection.Write,
        End,
    ];

    private static void Begin(HtmlBuilder html, ReportModel model)
    {
        var evaluation = model.Evaluation;
        var accuracy = Figures.Percent(evaluation.Accuracy, Figures.DecimalsFor(evaluation.TestImages));
        // The icon keeps a browser that gets this file from a server from asking that server for one.
        html.Add(
            $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="referrer" content="no-referrer">
            <title>{HeadlineSection.Title(model)} · {accuracy}</title>
            <link rel="icon" href="data:,">
            <style>
            {new Markup(ReportStyle.Css)}</style>
            </head>
            <body>
            <a class="skip" href="#main">Skip to the report</a>
            """
        );
    }

    private static void End(HtmlBuilder html, ReportModel model) =>
        html.Add(
            $"""
            </main>
            <footer><p>Report of run <code>{model.Run.Id}</code>. This file is complete in itself: it loads nothing and runs no script.</p></footer>
            </body>
            </html>
            """
        );

    private static void ThrowIfUneven(ReportModel model)
    {
        var classes = model.Dataset.ClassNames.Count;
        var matrix = model.Evaluation.ConfusionMatrix;
        if (matrix.Length != classes || Array.Exists(matrix, row => row.Length != classes))
        {
            throw new ArgumentException(
                $"The confusion matrix has {matrix.Length} rows; {classes} classes need {classes} rows of {classes}.",
                nameof(model)
            );
        }

        if (model.Evaluation.Classes.Count != classes)
        {
            throw new ArgumentException(
                $"There are metrics of {model.Evaluation.Classes.Count} classes, and {classes} class names.",
                nameof(model)
            );
        }
    }
}
