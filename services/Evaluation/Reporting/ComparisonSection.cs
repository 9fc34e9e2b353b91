namespace Distributed.Evaluation.Reporting;

/// <summary>The bases that were compared before the run took one.</summary>
internal static class ComparisonSection
{
    public static void Write(HtmlBuilder html, ReportModel model)
    {
        if (model.Comparison is not { } comparison)
        {
            return;
        }

        html.Add(
            $"""
            <section aria-labelledby="bases">
            <h2 id="bases">Bases compared</h2>
            <p class="fine">Accuracy of heads in five-fold cross-validation of {Figures.Count(
                comparison.Images
            )} training images; p of McNemar's exact test against the most accurate. Of those with a p of at least 0.05 the fastest was taken. No test image was looked at.</p>
            <figure class="chart"><img src="data:image/svg+xml;base64,{new Base64(comparison.Picture)}" alt="Accuracy of the bases by images a second; the table has the figures"></figure>
            <div class="scroll"><table>
            <thead><tr><th scope="col">Base</th><th scope="col" class="number">px</th><th scope="col" class="number">Accuracy</th><th scope="col" class="number">95{"\u00A0"}% interval</th><th scope="col" class="number">p</th><th scope="col" class="number">Images/s</th><th scope="col" class="number">Features</th><th scope="col">Licence</th></tr></thead>
            <tbody>
            """
        );
        foreach (var one in comparison.Bases)
        {
            html.Add(
                $"""<tr><th scope="row">{one.Backbone}{(one.IsChosen ? " (taken)" : "")}</th><td class="number">{one.InputSize}</td><td class="number">{Share(one.Accuracy)}</td><td class="number">{(one.Accuracy is null ? one.Reason : $"{Share(one.AccuracyLow)} to {Share(one.AccuracyHigh)}")}</td><td class="number">{(one.PValue is { } p ? Figures.Fixed(p, 3) : "")}</td><td class="number">{(one.ImagesPerSecond is { } speed ? Figures.Fixed(speed, 0) : "")}</td><td class="number">{(one.FeatureSize is { } size ? Figures.Count(size) : "")}</td><td>{one.Licence}</td></tr>"""
            );
        }

        html.Add($"</tbody></table></div></section>");
    }

    private static string Share(double? share) => share is { } value ? Figures.Percent(value) : "";
}
