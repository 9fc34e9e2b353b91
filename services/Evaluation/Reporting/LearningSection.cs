namespace Distributed.Evaluation.Reporting;

/// <summary>Loss and accuracy over the epochs, or over the penalties of a path.</summary>
internal static class LearningSection
{
    private const int MostRows = 200;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        html.Add(
            $"""
            <section aria-labelledby="learning">
            <h2 id="learning">Learning curves</h2>
            """
        );
        if (model.Epochs.Count == 0)
        {
            html.Add($"""<p class="empty">This head has no learning curve.</p></section>""");
            return;
        }

        var path = model.Epochs[0].Penalty is not null;
        var step = path ? "penalty" : "epoch";
        var validated = model.Epochs.Any(epoch => epoch.ValidationLoss is not null || epoch.ValidationAccuracy is not null);
        html.Add($"""<ul class="legend">""");
        if (validated)
        {
            html.Add(
                $"""<li><svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path class="line validation" d="M1 6H33"/><circle class="dot validation" cx="17" cy="6" r="3.5"/></svg>Validation</li>"""
            );
        }

        html.Add(
            $"""<li><svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path class="line train" d="M1 6H33"/><circle class="dot train" cx="17" cy="6" r="3.5"/></svg>Training</li>"""
        );
        if (model.BestEpoch is not null)
        {
            html.Add(
                $"""<li><svg width="12" height="14" viewBox="0 0 12 14" aria-hidden="true"><path class="best" d="M6 0V14"/></svg>Best {step}, kept</li>"""
            );
        }

        html.Add($"""</ul><div class="charts">""");
        LearningChart.Write(html, model, isAccuracy: false);
        LearningChart.Write(html, model, isAccuracy: true);
        html.Add($"</div>");
        if (path && validated)
        {
            html.Add(
                $"""<p class="fine">Each step is the exact solution at one L2 penalty, from the strongest on, until the validation loss only grew. With the penalty of the smallest validation loss the head was refitted on training and validation images together; that head is the one evaluated.</p>"""
            );
        }

        if (!validated)
        {
            html.Add(
                $"""<p class="fine">No validation split was set aside, so there is no validation curve and nothing {(path ? "chose among penalties" : "stopped the training early")}.</p>"""
            );
        }

        WriteTable(html, model, validated, path, step);
        html.Add($"</section>");
    }

    private static void WriteTable(HtmlBuilder html, ReportModel model, bool validated, bool path, string step)
    {
        var epochs = Thin(model.Epochs, model.BestEpoch);
        html.Add(
            $"""
            <details>
            <summary>All figures by {step}</summary>
            <div class="scroll" role="region" tabindex="0" aria-label="Figures by {step}">
            <table class="numbers" id="epochs">
            <thead><tr><th scope="col">{(
                path ? "Step" : "Epoch"
            )}</th><th scope="col">Training loss</th><th scope="col">Training accuracy</th>
            """
        );
        if (validated)
        {
            html.Add($"""<th scope="col">Validation loss</th><th scope="col">Validation accuracy</th>""");
        }

        html.Add($"""<th scope="col">{(path ? "Penalty" : "Learning rate")}</th></tr></thead><tbody>""");
        foreach (var epoch in epochs)
        {
            html.Add(
                $"""<tr><th scope="row">{epoch.Epoch}{(epoch.Epoch == model.BestEpoch ? " (best)" : "")}</th><td>{Figures.Loss(epoch.TrainLoss)}</td><td>{Figures.Percent(epoch.TrainAccuracy)}</td>"""
            );
            if (validated)
            {
                html.Add($"<td>{Figures.Loss(epoch.ValidationLoss)}</td><td>{Figures.Percent(epoch.ValidationAccuracy)}</td>");
            }

            html.Add($"<td>{Figures.Rate((path ? epoch.Penalty : epoch.LearningRate) ?? double.NaN)}</td></tr>");
        }

        html.Add($"</tbody></table></div>");
        if (epochs.Count < model.Epochs.Count)
        {
            html.Add(
                $"""<p class="fine">{Figures.Count(epochs.Count)} of {Figures.Count(model.Epochs.Count)} {(path ? "penalties" : "epochs")}, evenly spaced.</p>"""
            );
        }

        html.Add($"</details>");
    }

    private static List<ReportEpoch> Thin(IReadOnlyList<ReportEpoch> epochs, int? best)
    {
        if (epochs.Count <= MostRows)
        {
            return [.. epochs];
        }

        var kept = Enumerable.Range(0, MostRows).Select(row => (int)((long)row * (epochs.Count - 1) / (MostRows - 1))).ToHashSet();
        return [.. epochs.Where((epoch, index) => kept.Contains(index) || epoch.Epoch == best)];
    }
}
