namespace Distributed.Evaluation.Reporting;

/// <summary>How each class fared.</summary>
internal static class ClassSection
{
    private const int MostOpen = 30;
    private const int Weakest = 15;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var labels = Enumerable.Range(0, model.Evaluation.Classes.Count).ToList();
        html.Add(
            $"""
            <section aria-labelledby="classes">
            <h2 id="classes">Classes</h2>
            <p class="fine">Precision: of the images predicted as the class, the share that belong to it. Recall: of the images of the class, the share predicted as it. F1: their harmonic mean.</p>
            """
        );
        WriteAbsent(html, model);
        if (labels.Count <= MostOpen)
        {
            WriteTable(html, model, "per-class", "All classes", labels);
        }
        else
        {
            var weakest = labels
                .Where(label => model.Evaluation.Classes[label].Support > 0)
                .OrderBy(label => model.Evaluation.Classes[label].F1)
                .ThenBy(label => label)
                .Take(Weakest)
                .ToList();
            html.Add($"<h3>The {weakest.Count} weakest by F1</h3>");
            WriteTable(html, model, "weakest", "Weakest classes", weakest);
            html.Add($"<details><summary>All {Figures.Count(labels.Count)} classes</summary>");
            WriteTable(html, model, "per-class", "All classes", labels);
            html.Add($"</details>");
        }

        html.Add($"</section>");
    }

    private static void WriteAbsent(HtmlBuilder html, ReportModel model)
    {
        var counted = model.Evaluation.Classes.Count(metric => metric.F1 is not null);
        if (counted < model.Evaluation.Classes.Count)
        {
            html.Add(
                $"""<p class="fine" id="absent">n/a: the class has no test image, or is never predicted, so there is nothing to take a share of. The macro F1 is the mean over the classes that occur among test images or predictions: {Figures.Count(counted)} of {Figures.Count(model.Evaluation.Classes.Count)}.</p>"""
            );
        }
    }

    private static void WriteTable(HtmlBuilder html, ReportModel model, string id, string label, List<int> labels)
    {
        html.Add(
            $"""
            <div class="scroll" role="region" tabindex="0" aria-label="{label}">
            <table class="numbers" id="{id}">
            <thead><tr><th scope="col">Class</th><th scope="col">Precision</th><th scope="col">Recall</th><th scope="col">F1</th><th scope="col">Test images</th></tr></thead>
            <tbody>
            """
        );
        foreach (var index in labels)
        {
            var metric = model.Evaluation.Classes[index];
            html.Add($"""<tr><th scope="row"><bdi>{model.Class(index)}</bdi></th>""");
            WriteShare(html, metric.Precision);
            WriteShare(html, metric.Recall);
            WriteShare(html, metric.F1);
            html.Add($"<td>{Figures.Count(metric.Support)}</td></tr>");
        }

        html.Add($"</tbody></table></div>");
    }

    private static void WriteShare(HtmlBuilder html, double? share) =>
        html.Add(
            $"""<td class="bar" style="--v:{(share is { } value && double.IsFinite(value) ? Math.Clamp(value, 0, 1) : 0):0.###}">{(share is null ? "n/a" : Figures.Fixed(share, 3))}</td>"""
        );
}
