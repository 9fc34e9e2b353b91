namespace Distributed.Evaluation.Reporting;

/// <summary>What the run learned from, and what it left out.</summary>
internal static class DatasetSection
{
    private const int MostQuarantined = 20;
    private const int MostNames = 30;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var dataset = model.Dataset;
        html.Add($"""
            <section aria-labelledby="dataset">
            <h2 id="dataset">Data set</h2>
            <dl class="facts">
            <dt>Name</dt><dd><bdi>{dataset.Name}</bdi></dd>
            <dt>Source</dt><dd><bdi>{dataset.Source}</bdi></dd>
            <dt>SHA-256</dt><dd><code>{dataset.Sha256}</code></dd>
            <dt>Images</dt><dd>{Figures.Count(dataset.TrainImages)} training, {Figures.Count(dataset.ValidationImages)} validation, {Figures.Count(dataset.TestImages)} test</dd>
            <dt>Classes</dt><dd>{Figures.Count(dataset.ClassNames.Count)}
            """);
        WriteNames(html, model);
        html.Add($"""
            </dd>
            <dt>Duplicates</dt><dd>{(dataset.DuplicatesRemoved == 0 ? "none taken out" : $"{Figures.Count(dataset.DuplicatesRemoved)} taken out of training, because they stand in a later split too")}</dd>
            <dt>Quarantined</dt><dd>{(dataset.QuarantinedCount == 0 ? "none; every image could be used" : $"{Figures.Count(dataset.QuarantinedCount, "image", "images")} left out")}</dd>
            </dl>
            """);
        WriteQuarantine(html, dataset);
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

    private static void WriteQuarantine(HtmlBuilder html, ReportDataset dataset)
    {
        if (dataset.Quarantined.Count == 0)
        {
            return;
        }

        var shown = dataset.Quarantined.Take(MostQuarantined).ToList();
        html.Add($"""
            <details>
            <summary>What was left out, and why</summary>
            <div class="scroll" role="region" tabindex="0" aria-label="Quarantined images">
            <table id="quarantine">
            <thead><tr><th scope="col">Image</th><th scope="col">Reason</th></tr></thead>
            <tbody>
            """);
        foreach (var image in shown)
        {
            html.Add($"""<tr><th scope="row"><bdi>{image.Name}</bdi></th><td>{image.Reason}</td></tr>""");
        }

        html.Add($"</tbody></table></div>");
        if (dataset.QuarantinedCount > shown.Count)
        {
            html.Add($"""<p class="fine">and {Figures.Count(dataset.QuarantinedCount - shown.Count)} more.</p>""");
        }

        html.Add($"</details>");
    }
}
