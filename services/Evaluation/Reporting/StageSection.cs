namespace Distributed.Evaluation.Reporting;

/// <summary>Where the time went.</summary>
internal static class StageSection
{
    private sealed record Stage(string Name, double? Seconds, string Note);

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var stages = model.Stages;
        var timed = new List<Stage>
        {
            new("Ingest", stages.IngestSeconds, ""),
            new("Features", stages.FeaturesSeconds, stages.FeatureCacheHit ? "all there already" : ""),
            new("Train", stages.TrainSeconds, ""),
            new("Evaluate", stages.EvaluateSeconds, ""),
        };
        var sum = timed.Sum(stage => Usable(stage.Seconds));
        // Slices run side by side, so the stages may also sum to more than the whole.
        if (stages.TotalSeconds is { } total && total - sum >= 0.05)
        {
            timed.Add(new Stage("Between stages", total - sum, "waiting and handing over"));
        }

        var longest = Math.Max(timed.Max(stage => Usable(stage.Seconds)), 1e-9);
        html.Add(
            $"""
            <section aria-labelledby="stages">
            <h2 id="stages">Where the time went</h2>
            <table class="times">
            <thead class="unseen"><tr><th scope="col">Stage</th><th scope="col">Duration</th><td></td></tr></thead>
            <tbody>
            """
        );
        foreach (var stage in timed)
        {
            html.Add(
                $"""<tr><th scope="row">{stage.Name} <span class="fine">{stage.Note}</span></th><td class="seconds">{Figures.Seconds(stage.Seconds)}</td><td class="track" style="--v:{Usable(stage.Seconds) / longest:0.####}"></td></tr>"""
            );
        }

        html.Add(
            $"""
            </tbody>
            <tfoot><tr><th scope="row">Total</th><td class="seconds">{Figures.Seconds(stages.TotalSeconds)}</td><td></td></tr></tfoot>
            </table>
            </section>
            """
        );
    }

    private static double Usable(double? seconds) => seconds is { } value && double.IsFinite(value) && value > 0 ? value : 0;
}
