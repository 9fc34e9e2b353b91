namespace Distributed.Evaluation.Reporting;

/// <summary>What the features say about the data set itself: labels to check, and pictures that stand on both sides of the split.</summary>
internal static class AuditSection
{
    public static void WriteLabels(HtmlBuilder html, ReportModel model)
    {
        var audit = model.Audit;
        html.Add(
            $"""
            <section aria-labelledby="labels">
            <h2 id="labels">Labels to check</h2>
            """
        );
        if (audit.NotJudged is { } reason)
        {
            html.Add($"""<p class="empty">Labels were not judged: {reason}.</p></section>""");
            return;
        }

        html.Add(
            $"""<p class="fine">A classifier that has learnt from all other training images gives another class than the labelled one to {Figures.Count(audit.Doubted)} of {Figures.Count(audit.Judged, "training image", "training images")}. Some are wrong labels, some are hard images. Below are those whose label it finds least probable; all of them, ranked, are in <code>/api/v1/runs/{model.Run.Id}/labels.csv</code>.</p>"""
        );
        if (audit.Suspects.Count == 0)
        {
            html.Add($"""<p class="empty">None: no label is doubted.</p></section>""");
            return;
        }

        html.Add($"""<ul class="samples">""");
        foreach (var suspect in audit.Suspects)
        {
            GallerySection.WriteSample(html, model, suspect);
        }

        html.Add($"</ul></section>");
    }

    public static void WriteDuplicates(HtmlBuilder html, ReportModel model)
    {
        var audit = model.Audit;
        html.Add(
            $"""
            <section aria-labelledby="duplicates">
            <h2 id="duplicates">Near duplicates across the splits</h2>
            """
        );
        if (audit.NotSought is { } reason)
        {
            html.Add($"""<p class="empty">Near duplicates were not looked for: {reason}.</p></section>""");
            return;
        }

        if (audit.LeakedTestImages == 0)
        {
            html.Add($"""<p class="empty">None: no test image is a version of an image that the head learned from.</p></section>""");
            return;
        }

        var without = audit.UnleakedAccuracy is { } accuracy
            ? $"Without them, the test accuracy is {Figures.Percent(accuracy)} (95 % interval {Figures.PercentNumber(audit.UnleakedAccuracyLow ?? 0)} to {Figures.Percent(audit.UnleakedAccuracyHigh)})."
            : "Without them, no test image is left.";
        html.Add(
            $"""
            <p class="fine">{Figures.Count(
                audit.LeakedTestImages,
                "test image is a version",
                "test images are versions"
            )} of an image that the head learned from: of another size, quality, brightness or crop, or mirrored. {without} All pairs are in <code>/api/v1/runs/{model.Run.Id}/near-duplicates.csv</code>.</p>
            <ul class="samples pairs">
            """
        );
        foreach (var pair in audit.Duplicates)
        {
            WritePair(html, model, pair);
        }

        html.Add($"</ul></section>");
    }

    private static void WritePair(HtmlBuilder html, ReportModel model, ReportPair pair)
    {
        html.Add($"""<li class="sample"><figure><div class="pair">""");
        GallerySection.WritePicture(html, pair.Test, $"Test image of class {model.Class(pair.TestLabel)}");
        GallerySection.WritePicture(html, pair.Training, $"Training image of class {model.Class(pair.TrainingLabel)}");
        var classes =
            pair.TestLabel == pair.TrainingLabel
                ? model.Class(pair.TestLabel)
                : $"{model.Class(pair.TestLabel)} and {model.Class(pair.TrainingLabel)}";
        html.Add(
            $"""
            </div><figcaption>
            <p class="verdict"><bdi>{classes}</bdi></p>
            <p class="file" title="{pair.Test.Name}">test <bdi>{pair.Test.Name}</bdi></p>
            <p class="file" title="{pair.Training.Name}">learned from <bdi>{pair.Training.Name}</bdi></p>
            </figcaption></figure></li>
            """
        );
    }
}
