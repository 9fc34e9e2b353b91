namespace Distributed.Evaluation.Reporting;

/// <summary>Test images with what was made of them.</summary>
internal static class GallerySection
{
    public static void WriteGallery(HtmlBuilder html, ReportModel model)
    {
        html.Add(
            $"""
            <section aria-labelledby="gallery">
            <h2 id="gallery">Predictions</h2>
            """
        );
        if (model.Gallery.Count == 0)
        {
            html.Add($"""<p class="empty">No test images were kept for this report.</p></section>""");
            return;
        }

        var right = model.Gallery.Count(sample => sample.TrueLabel == sample.PredictedLabel);
        html.Add(
            $"""
            <p class="fine">{Figures.Count(model.Gallery.Count, "test image", "test images")}: {Figures.Count(
                right
            )} right (✓), {Figures.Count(
                model.Gallery.Count - right
            )} wrong (✗, dashed frame), with the true class → the predicted one and the probability it was given.</p>
            <ul class="samples">
            """
        );
        foreach (var sample in model.Gallery)
        {
            WriteSample(html, model, sample);
        }

        html.Add($"</ul></section>");
    }

    public static void WriteMistakes(HtmlBuilder html, ReportModel model)
    {
        html.Add(
            $"""
            <section aria-labelledby="mistakes">
            <h2 id="mistakes">Most confident mistakes</h2>
            """
        );
        if (model.Mistakes.Count == 0)
        {
            html.Add(
                $"""<p class="empty">{(model.Evaluation.Accuracy >= 1 ? "None: every test image was classified rightly." : "No mistakes were kept for this report.")}</p></section>"""
            );
            return;
        }

        html.Add(
            $"""
            <p class="fine">The wrong predictions that the head was surest of: look here for wrong labels, unclear images and classes that look alike.</p>
            <ul class="samples">
            """
        );
        foreach (var sample in model.Mistakes)
        {
            WriteSample(html, model, sample);
        }

        html.Add($"</ul></section>");
    }

    public static void WriteSample(HtmlBuilder html, ReportModel model, ReportSample sample)
    {
        var isRight = sample.TrueLabel == sample.PredictedLabel;
        var (truth, prediction) = (model.Class(sample.TrueLabel), model.Class(sample.PredictedLabel));
        html.Add($"""<li class="sample {(isRight ? "right" : "wrong")}"><figure>""");
        WritePicture(html, sample.Picture, $"Image of class {truth}, predicted {prediction}");
        html.Add(
            $"""
            <figcaption>
            <p class="verdict"><span class="badge">{(isRight ? "✓" : "✗")}<span class="unseen"> {(
                isRight ? "right" : "wrong"
            )}:</span></span> <span class="names"><bdi>{truth}</bdi> → <bdi>{prediction}</bdi></span></p>
            <p class="meter" style="--v:{(
                double.IsFinite(sample.PredictedProbability) ? Math.Clamp(sample.PredictedProbability, 0, 1) : 0
            ):0.###}"><span>{Figures.Percent(sample.PredictedProbability)}</span></p>
            """
        );
        if (!isRight)
        {
            html.Add($"""<p class="fine">true class {Figures.Percent(sample.TrueProbability)}</p>""");
        }

        html.Add($"""<p class="file" title="{sample.Picture.Name}"><bdi>{sample.Picture.Name}</bdi></p></figcaption></figure></li>""");
    }

    public static void WritePicture(HtmlBuilder html, ReportPicture picture, string alternative)
    {
        if (picture.Png.Length == 0)
        {
            html.Add($"""<div class="picture absent">no picture</div>""");
        }
        else
        {
            html.Add($"""<img class="picture" alt="{alternative}" src="data:image/png;base64,{new Base64(picture.Png)}">""");
        }
    }
}
