using Distributed.Catalog;

namespace Distributed.Evaluation.Reporting;

/// <summary>What the run learned from, how its source was understood, and what was skipped.</summary>
internal static class DatasetSection
{
    private const int MostSkipped = 20;
    private const int MostNames = 30;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var dataset = model.Dataset;
        var input = dataset.Input;
        html.Add(
            $"""
            <section aria-labelledby="dataset">
            <h2 id="dataset">Data set</h2>
            <dl class="facts">
            <dt>Name</dt><dd><bdi>{input.Name}</bdi></dd>
            <dt>Source</dt><dd><bdi>{input.Source}</bdi></dd>
            <dt>SHA-256</dt><dd><code>{dataset.Sha256}</code></dd>
            <dt>Images</dt><dd>{Figures.Count(dataset.TrainImages)} training, {Figures.Count(
                dataset.ValidationImages
            )} validation, {Figures.Count(dataset.TestImages)} test</dd>
            <dt>Splits</dt><dd>{input.DescribeSplits()}</dd>
            <dt>Classes</dt><dd>{Figures.Count(dataset.ClassNames.Count)}
            """
        );
        WriteNames(html, model);
        html.Add($"</dd>");
        foreach (var note in input.Notes)
        {
            html.Add($"<dt>Read as</dt><dd>{note}</dd>");
        }

        html.Add(
            $"""
            <dt>Skipped</dt><dd id="skipped">{input.DescribeSkipped()}</dd>
            <dt>Duplicates</dt><dd>{input.DescribeDuplicates() ?? "none"}</dd>
            <dt>Taken out</dt><dd>{(
                dataset.DuplicatesRemoved == 0
                    ? "nothing"
                    : $"{Figures.Count(dataset.DuplicatesRemoved, "image", "images")} out of training, because the same image is in a later split too"
            )}</dd>
            </dl>
            """
        );
        WriteContradictions(html, input);
        WriteSkipped(html, input);
        html.Add($"</section>");
    }

    private static void WriteNames(HtmlBuilder html, ReportModel model)
    {
        if (model.Dataset.ClassNames.Count > MostNames)
        {
            return;
        }

        for (var label = 0; label < model.Dataset.ClassNames.Count; label++)
        {
            html.Add($"{(label == 0 ? "–" : "·")} <bdi>{model.Class(label)}</bdi>");
        }
    }

    private static void WriteContradictions(HtmlBuilder html, IngestionSummary input)
    {
        if (input.Contradictions.Count == 0)
        {
            return;
        }

        html.Add(
            $"""
            <details>
            <summary>Images in more than one class</summary>
            <div class="scroll" role="region" tabindex="0" aria-label="Images in more than one class">
            <table class="names" id="contradictions">
            <thead><tr><th scope="col">Image</th><th scope="col">Class</th></tr></thead>
            <tbody>
            """
        );
        foreach (var occurrence in input.Contradictions.SelectMany(image => image.Occurrences))
        {
            html.Add($"""<tr><th scope="row"><bdi>{occurrence.Name}</bdi></th><td><bdi>{occurrence.ClassName}</bdi></td></tr>""");
        }

        html.Add($"</tbody></table></div>");
        WriteMore(html, input.Duplicates.DifferentLabels - input.Contradictions.Count);
        html.Add($"</details>");
    }

    private static void WriteSkipped(HtmlBuilder html, IngestionSummary input)
    {
        if (input.Skipped.Count == 0)
        {
            return;
        }

        var shown = input.Skipped.Take(MostSkipped).ToList();
        html.Add(
            $"""
            <details>
            <summary>What was skipped, and why</summary>
            <div class="scroll" role="region" tabindex="0" aria-label="Skipped files">
            <table class="names" id="skipped-files">
            <thead><tr><th scope="col">File</th><th scope="col">Reason</th></tr></thead>
            <tbody>
            """
        );
        foreach (var file in shown)
        {
            html.Add($"""<tr><th scope="row"><bdi>{file.Name}</bdi></th><td>{file.Detail}</td></tr>""");
        }

        html.Add($"</tbody></table></div>");
        WriteMore(html, input.SkippedCount - shown.Count);
        html.Add($"</details>");
    }

    private static void WriteMore(HtmlBuilder html, int count)
    {
        if (count > 0)
        {
            html.Add($"""<p class="fine">and {Figures.Count(count)} more.</p>""");
        }
    }
}
