using System.Globalization;
using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Registry;

/// <summary>
/// Writes model cards (Mitchell et al., 2019, arXiv:1810.03993) in Markdown, with the metadata block that model hubs read.
/// </summary>
public static class ModelCard
{
    /// <summary>Writes the card of a version.</summary>
    /// <param name="contexts">The catalog; what it no longer has of the run is left out.</param>
    /// <param name="version">The version.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async Task<string> WriteAsync(
        IDbContextFactory<CatalogContext> contexts,
        ModelVersion version,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(contexts);
        ArgumentNullException.ThrowIfNull(version);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var evaluation = await context
            .Evaluations.AsNoTracking()
            .SingleOrDefaultAsync(row => row.RunId == version.RunId, cancellationToken);
        var classes = await context
            .ClassMetrics.AsNoTracking()
            .Where(row => row.RunId == version.RunId)
            .OrderBy(row => row.Label)
            .ToListAsync(cancellationToken);
        return Write(version, ModelLineage.Read(version.Lineage), evaluation, classes);
    }

    private static string Write(ModelVersion version, ModelLineage lineage, Evaluation? evaluation, IReadOnlyList<ClassMetric> classes)
    {
        var text = new StringBuilder();
        WriteMetadata(text, lineage);
        Line(text, $"# {version.ModelName}, version {version.Number}");
        Line(text);
        Line(
            text,
            $"Classifies images into {lineage.Dataset.Classes.Count} classes: {string.Join(", ", lineage.Dataset.Classes.Select(Escape))}. A frozen {Escape(lineage.Backbone.Architecture)} turns an image into features; a head that was trained on {Escape(lineage.Dataset.Name)} turns them into probabilities."
        );
        if (version.Note is { } note)
        {
            Line(text);
            Line(text, $"{Escape(note)}");
        }

        WriteFigures(text, lineage, classes);
        WriteCalibration(text, lineage, evaluation);
        WriteData(text, lineage);
        WriteLimits(text, lineage, evaluation);
        WriteUse(text, lineage);
        WriteLineage(text, version, lineage);
        return text.ToString();
    }

    private static void WriteMetadata(StringBuilder text, ModelLineage lineage)
    {
        Line(text, $"---");
        if (lineage.Backbone.Licence is { } licence && !licence.Contains(' ', StringComparison.Ordinal))
        {
            Line(text, $"license: {licence.ToLowerInvariant()}");
        }

        Line(text, $"pipeline_tag: image-classification");
        Line(text, $"library_name: onnx");
        Line(text, $"---");
        Line(text);
    }

    private static void WriteFigures(StringBuilder text, ModelLineage lineage, IReadOnlyList<ClassMetric> classes)
    {
        var metrics = lineage.Metrics;
        Heading(text, "Figures");
        Line(text, $"| On {metrics.TestImages} test images | |");
        Line(text, $"|---|---|");
        Line(
            text,
            $"| Accuracy | {Share(metrics.Accuracy)} (95 % interval {Share(metrics.AccuracyLow)} to {Share(metrics.AccuracyHigh)}, Wilson) |"
        );
        Line(text, $"| Macro F1 | {metrics.MacroF1:0.0000} |");
        Line(text, $"| Cross-entropy | {metrics.Loss:0.0000} |");
        Line(text, $"| Expected calibration error | {Share(metrics.CalibrationError)} |");
        if (metrics.UnleakedAccuracy is { } unleaked)
        {
            Line(text, $"| Accuracy without test images that have a near duplicate in training | {Share(unleaked)} |");
        }

        if (classes.Count > 0)
        {
            Line(text);
            Line(text, $"| Class | Precision | Recall | F1 | Test images |");
            Line(text, $"|---|---|---|---|---|");
            foreach (var row in classes)
            {
                Line(text, $"| {Escape(row.ClassName)} | {Share(row.Precision)} | {Share(row.Recall)} | {Share(row.F1)} | {row.Support} |");
            }
        }
    }

    private static void WriteCalibration(StringBuilder text, ModelLineage lineage, Evaluation? evaluation)
    {
        if (evaluation is null)
        {
            return;
        }

        Heading(text, "Calibration");
        Line(
            text,
            $"Logits are divided by a temperature of {evaluation.Temperature:0.###}, found on {lineage.Dataset.ValidationImages} validation images. Without it the calibration error is {Share(evaluation.UncalibratedError)}."
        );
        Line(text);
        Line(text, $"| Probability given | Images | Mean probability | Right |");
        Line(text, $"|---|---|---|---|");
        foreach (var bin in JsonSerializer.Deserialize<IReadOnlyList<Bin>>(evaluation.Reliability, JsonSerializerOptions.Web)!)
        {
            if (bin.Count > 0)
            {
                Line(
                    text,
                    $"| {Share(bin.Low, 0)} to {Share(bin.High, 0)} | {bin.Count} | {Share(bin.Confidence)} | {Share(bin.Accuracy)} |"
                );
            }
        }
    }

    private static void WriteData(StringBuilder text, ModelLineage lineage)
    {
        var data = lineage.Dataset;
        Heading(text, "Data");
        Line(
            text,
            $"{Escape(data.Name)}, read from {Code(data.Source)}: {data.TrainImages} images to learn from, {data.ValidationImages} to choose settings by, {data.TestImages} to measure with, which took no part in either. SHA-256 of images, labels and classes: `{data.Sha256}`; of the splits: `{data.SplitSha256}`. The images' licence is that of their owner: it is not known here."
        );
    }

    private static void WriteLimits(StringBuilder text, ModelLineage lineage, Evaluation? evaluation)
    {
        var images = lineage.Features.Preparation;
        Heading(text, "Limits");
        Line(
            text,
            $"- Every image gets one of the {lineage.Dataset.Classes.Count} classes, also one that shows none of them. Ask for the evidence of a prediction to see how unusual an image is."
        );
        Line(
            text,
            $"- The figures hold for images like the test images. Other cameras, light, places or subjects need a measurement of their own."
        );
        Line(text, $"- Images are reduced to {images.Size} × {images.Size} pixels: what is not visible then is not seen.");
        if (evaluation?.LeakedTestImages is > 0 and { } leaked)
        {
            Line(text, $"- {leaked} test images have a near duplicate among the training images.");
        }

        if (lineage.Metrics.TestImages < 1000)
        {
            Line(text, $"- With {lineage.Metrics.TestImages} test images the interval of the accuracy is wide.");
        }

        if (lineage.Dataset.Source.Contains("stl10", StringComparison.OrdinalIgnoreCase))
        {
            Line(
                text,
                $"- STL-10's images were taken from labelled ImageNet images{(PretrainedBases.Identify(lineage.Backbone.Source, lineage.Backbone.Sha256)?.TrainedOn == PretrainedBase.Imagenet ? ", so the ImageNet weights of the base may have seen test images." : ": if the base was trained on ImageNet, it may have seen test images.")}"
            );
        }

        Line(
            text,
            $"- Licence of the base's weights: {Escape(lineage.Backbone.Licence ?? "not known; its owner must say what the model may be used for")}."
        );
    }

    private static void WriteUse(StringBuilder text, ModelLineage lineage)
    {
        var images = lineage.Features.Preparation;
        Heading(text, "Use");
        Line(
            text,
            $"`{ModelDescription.NetworkName}` takes `images`, uint8 [n, {images.Size}, {images.Size}, 3] in RGB, and gives `probabilities` [n, {lineage.Dataset.Classes.Count}] and `features`. Images become square as `{ModelDescription.FileName}` says (fit: {lineage.Features.Fit}; share that a crop keeps: {images.CropShare}; decoding of large JPEGs: {lineage.Features.Decoding}; resampling: {lineage.Features.Resampling}, with antialiasing)."
        );
        Line(text);
        Line(
            text,
            $"In .NET, `Distributed.Inference` does all of it: `ImageClassifier.Load(\"package.zip\").Predict(stream)`. The head was trained on features in {lineage.Features.Precision}; the network in the package computes in fp32."
        );
    }

    private static void WriteLineage(StringBuilder text, ModelVersion version, ModelLineage lineage)
    {
        Heading(text, "Lineage");
        Line(text, $"| | |");
        Line(text, $"|---|---|");
        Line(text, $"| Run | `{lineage.RunId:D}`{(lineage.RunName is { } name ? $" ({Escape(name)})" : "")} |");
        Line(text, $"| Registered | {version.CreatedAt:yyyy-MM-dd HH:mm}Z by {Escape(version.CreatedBy)} |");
        Line(text, $"| Base | {Escape(lineage.Backbone.Origin)}, `{lineage.Backbone.Sha256}` |");
        Line(text, $"| Features | {Escape(lineage.Features.Preprocessing)}, {lineage.Features.Precision} |");
        Line(text, $"| Head | `{lineage.HeadSha256}` |");
        Line(text);
        Line(text, $"To train it again:");
        Line(text);
        Line(text, $"    {lineage.CommandLine.ReplaceLineEndings(" ")}");
    }

    private static void Heading(StringBuilder text, string title)
    {
        Line(text);
        Line(text, $"## {title}");
        Line(text);
    }

    private static void Line(StringBuilder text, FormattableString? line = null) =>
        text.Append(line?.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private static string Share(double? share, int digits = 2) =>
        share is { } value ? (100 * value).ToString($"F{digits}", CultureInfo.InvariantCulture) + " %" : "-";

    /// <summary>Escapes text from users, so that it adds no markup, table cells or lines.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var character in text.ReplaceLineEndings(" "))
        {
            if (@"\`*_{}[]<>()#+!|".Contains(character, StringComparison.Ordinal))
            {
                escaped.Append('\\');
            }

            escaped.Append(character);
        }

        return escaped.ToString();
    }

    private static string Code(string text) => $"`{text.ReplaceLineEndings(" ").Replace('`', '\'')}`";

    private sealed record Bin(double Low, double High, int Count, double? Confidence, double? Accuracy);
}
