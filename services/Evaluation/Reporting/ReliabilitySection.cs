using Distributed.Vision.Metrics;

namespace Distributed.Evaluation.Reporting;

/// <summary>Whether the head's probabilities mean what they say.</summary>
internal static class ReliabilitySection
{
    private const double Width = 460;
    private const double Height = 290;
    private const double Left = 54;
    private const double Right = 446;
    private const double Top = 14;
    private const double Bottom = 236;
    private const double Strip = 34;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var reliability = model.Reliability;
        html.Add(
            $"""
            <section aria-labelledby="reliability">
            <h2 id="reliability">Reliability of the probabilities</h2>
            <p class="fine">Among images to which the head gives a probability of 80{"\u00A0"}%, 80{"\u00A0"}% should be right. {Advise(
                reliability
            )}</p>
            <div class="beside spaced">
            <figure class="chart">
            <figcaption>Share that is right, by the probability given</figcaption>
            """
        );
        WriteChart(html, reliability);
        html.Add(
            $"""
            </figure>
            <dl class="figures">
            <div><dt>Calibration error</dt><dd>{Figures.Percent(reliability.Error)}</dd></div>
            <div><dt>Without temperature</dt><dd>{Figures.Percent(reliability.UncalibratedError)}</dd></div>
            <div><dt>Temperature</dt><dd>{Figures.Fixed(reliability.Temperature, 2)}</dd></div>
            </dl>
            </div>
            </section>
            """
        );
    }

    private static string Advise(ReportReliability reliability) =>
        reliability.Temperature == 1
            ? "There were no validation images to correct the probabilities with; give a validationFraction above 0."
            : $"The head was too {(reliability.Temperature > 1 ? "sure" : "unsure")} of itself on the validation images, so its logits are divided by {Figures.Fixed(reliability.Temperature, 2)}; no decision changes.";

    private static void WriteChart(HtmlBuilder html, ReportReliability reliability)
    {
        html.Add($"""<svg viewBox="0 0 {Width} {Height}" role="img" aria-label="{Describe(reliability)}">""");
        for (var tick = 0; tick <= 4; tick++)
        {
            var share = tick / 4.0;
            html.Add(
                $"""<path class="grid" d="M{Left} {Y(share):0.##}H{Right}"/><text class="tick" x="{Left - 8}" y="{Y(share) + 4:0.##}" text-anchor="end">{Figures.Percent(share, 0)}</text><text class="tick" x="{X(share):0.##}" y="{Bottom + Strip + 16}" text-anchor="middle">{Figures.Percent(share, 0)}</text>"""
            );
        }

        html.Add(
            $"""<path class="best" d="M{X(0):0.##} {Y(0):0.##}L{X(1):0.##} {Y(1):0.##}"/><path class="axis" d="M{Left} {Bottom}H{Right}"/>"""
        );
        var most = Math.Max(reliability.Bins.Max(bin => bin.Count), 1);
        foreach (var bin in reliability.Bins.Where(IsKnown))
        {
            WriteBin(html, bin, most);
        }

        html.Add($"</svg>");
    }

    private static void WriteBin(HtmlBuilder html, ReliabilityBin bin, int most)
    {
        var (left, width) = (X(bin.Low) + 1, X(bin.High) - X(bin.Low) - 2);
        var accuracy = bin.Accuracy!.Value;
        var title =
            $"{Figures.Percent(bin.Low, 0)} to {Figures.Percent(bin.High, 0)}: {Figures.Count(bin.Count, "image", "images")}, {Figures.Percent(accuracy)} right, {Figures.Percent(bin.Confidence)} expected";
        // Below the axis, how many images the bar is about.
        html.Add(
            $"""<rect class="share" x="{left:0.##}" y="{Y(accuracy):0.##}" width="{width:0.##}" height="{Bottom - Y(accuracy):0.##}"><title>{title}</title></rect><rect class="amount" x="{left:0.##}" y="{Bottom + 3}" width="{width:0.##}" height="{Math.Max((Strip - 8) * bin.Count / most, 1):0.##}"><title>{title}</title></rect><circle class="dot validation" cx="{X(bin.Confidence!.Value):0.##}" cy="{Y(accuracy):0.##}" r="3.5"><title>{title}</title></circle>"""
        );
    }

    private static string Describe(ReportReliability reliability) =>
        $"Reliability diagram. Expected calibration error {Figures.Percent(reliability.Error)}. "
        + string.Join(
            " ",
            reliability
                .Bins.Where(IsKnown)
                .Select(bin =>
                    $"Given {Figures.Percent(bin.Confidence)}: {Figures.Percent(bin.Accuracy)} of {Figures.Count(bin.Count)} right."
                )
        );

    private static bool IsKnown(ReliabilityBin bin) =>
        double.IsFinite(bin.Confidence ?? double.NaN) && double.IsFinite(bin.Accuracy ?? double.NaN);

    private static double X(double share) => Left + (share * (Right - Left));

    private static double Y(double share) => Bottom - (share * (Bottom - Top));
}
