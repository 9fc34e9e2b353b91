namespace Distributed.Evaluation.Reporting;

/// <summary>What the run is, its result in one figure, and the facts that figure hangs on.</summary>
internal static class HeadlineSection
{
    public static string Title(ReportModel model) => string.IsNullOrWhiteSpace(model.Run.Name) ? "Unnamed run" : model.Run.Name;

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        WriteHeader(html, model);
        html.Add($"""<main id="main">""");
        WriteResult(html, model);
        WriteNotes(html, "Warnings", "notes warnings", model.Warnings);
        WriteNotes(html, "Keep in mind", "notes", model.Notes);
        WriteFacts(html, model);
    }

    private static void WriteHeader(HtmlBuilder html, ReportModel model)
    {
        var dataset = model.Dataset;
        html.Add(
            $"""
            <header>
            <p class="eyebrow">Run report</p>
            <h1><bdi>{Title(model)}</bdi></h1>
            <p class="state">Trained on {Figures.Count(
                dataset.TrainImages,
                "image",
                "images"
            )} of <bdi>{dataset.Input.Name}</bdi> and evaluated on {Figures.Count(
                model.Evaluation.TestImages,
                "test image",
                "test images"
            )} of {Figures.Count(dataset.ClassNames.Count, "class", "classes")}.</p>
            <ul class="labels">
            <li class="plain">Run <code>{model.Run.Id}</code></li>
            """
        );
        if (!string.IsNullOrWhiteSpace(model.Run.Submitter))
        {
            html.Add($"""<li class="plain">by <bdi>{model.Run.Submitter}</bdi></li>""");
        }

        foreach (var tag in model.Run.Tags)
        {
            html.Add($"""<li class="tag"><bdi>{tag}</bdi></li>""");
        }

        html.Add(
            $"""
            </ul>
            <nav aria-label="Contents">
            <a href="#learning">Learning curves</a>
            <a href="#confusion">Confusions</a>
            <a href="#classes">Classes</a>
            <a href="#reliability">Reliability</a>
            <a href="#gallery">Predictions</a>
            <a href="#mistakes">Mistakes</a>
            <a href="#labels">Labels</a>
            <a href="#duplicates">Near duplicates</a>
            <a href="#dataset">Data set</a>
            <a href="#stages">Time</a>
            <a href="#repeat">Repeat this run</a>
            </nav>
            </header>
            """
        );
    }

    private static void WriteResult(HtmlBuilder html, ReportModel model)
    {
        var evaluation = model.Evaluation;
        var decimals = Figures.DecimalsFor(evaluation.TestImages);
        var right = (long)Math.Round(evaluation.Accuracy * evaluation.TestImages);
        var frequent = evaluation.TestImages == 0 ? 0 : evaluation.Classes.Max(metric => metric.Support) / (double)evaluation.TestImages;
        var interval = $"{Figures.PercentNumber(evaluation.AccuracyLow, decimals)} to {Figures.Percent(evaluation.AccuracyHigh, decimals)}";
        html.Add(
            $"""
            <section class="result" aria-labelledby="result-title">
            <div>
            <h2 id="result-title" class="eyebrow">Test accuracy</h2>
            <p class="headline"><span class="number" id="accuracy">{Figures.PercentNumber(
                evaluation.Accuracy,
                decimals
            )}<span class="unit">{"\u00A0"}%</span></span></p>
            <p class="interval" id="interval">95{"\u00A0"}% interval: {interval}</p>
            <div class="gauge" role="img" aria-label="On a scale from 0 to 100 %: accuracy {Figures.Percent(
                evaluation.Accuracy,
                decimals
            )}, interval {interval}, most frequent class {Figures.Percent(frequent)}.">
            <i class="fill" style="width:{Share(evaluation.Accuracy)}%"></i>
            <i class="band" style="left:{Share(evaluation.AccuracyLow)}%;width:{Share(
                evaluation.AccuracyHigh - evaluation.AccuracyLow
            )}%"></i>
            <i class="floor" style="left:{Share(frequent)}%"></i>
            </div>
            <p class="fine">{Figures.Count(right)} of {Figures.Count(
                evaluation.TestImages,
                "test image",
                "test images"
            )} right. Naming the most frequent class every time would give {Figures.Percent(frequent)}, the mark on the bar.</p>
            </div>
            <dl class="made">
            <dt>Base, frozen</dt><dd><bdi>{model.Features.BackboneOrigin}</bdi></dd>
            <dt>Head, trained</dt><dd>{Head(model)}</dd>
            <dt>Tested on</dt><dd>{Figures.Count(evaluation.TestImages, "image", "images")} of <bdi>{model.Dataset.Input.Name}</bdi></dd>
            </dl>
            </section>
            """
        );
    }

    private static string Share(double share) => Figures.Fixed(double.IsFinite(share) ? Math.Clamp(share, 0, 1) * 100 : 0, 2);

    private static string Head(ReportModel model)
    {
        var head = model.Head;
        var layers = head.HiddenSizes.Count == 0 ? head.Kind : $"{head.Kind} with {string.Join(" and ", head.HiddenSizes)} hidden units";
        if (head.Dropout is > 0)
        {
            layers += $", dropout {Figures.Fixed(head.Dropout, 2)}";
        }

        if (model.Epochs.Count > 0 && model.Epochs[0].Penalty is not null)
        {
            return $"{layers}; penalty {Figures.Rate(ChosenPenalty(model))}{(model.Epochs.Count > 1 ? $", the best of {model.Epochs.Count}" : "")}";
        }

        var epochs = model.Epochs.Count == 0 ? "" : $"; {Figures.Count(model.Epochs.Count, "epoch", "epochs")}";
        return model.BestEpoch is { } best && model.Epochs.Count > 1 ? $"{layers}{epochs}, the best {best}" : layers + epochs;
    }

    private static double ChosenPenalty(ReportModel model) =>
        model.Epochs.FirstOrDefault(step => step.Epoch == model.BestEpoch)?.Penalty ?? double.NaN;

    private static void WriteNotes(HtmlBuilder html, string title, string kind, IReadOnlyList<string> notes)
    {
        if (notes.Count == 0)
        {
            return;
        }

        html.Add($"""<aside class="{kind}" aria-label="{title}"><p class="eyebrow">{title}</p><ul>""");
        foreach (var note in notes)
        {
            html.Add($"<li>{note}</li>");
        }

        html.Add($"</ul></aside>");
    }

    private static void WriteFacts(HtmlBuilder html, ReportModel model)
    {
        var evaluation = model.Evaluation;
        var dataset = model.Dataset;
        var features = model.Features;
        html.Add(
            $"""
            <section aria-labelledby="facts-title">
            <h2 id="facts-title">Key facts</h2>
            <dl class="figures">
            """
        );
        if (evaluation.TopK > 1 && evaluation.TopKAccuracy is { } topK)
        {
            Figure($"Top-{evaluation.TopK} accuracy", Figures.Percent(topK, Figures.DecimalsFor(evaluation.TestImages)));
        }

        Figure("Macro F1", Figures.Fixed(evaluation.MacroF1, 3));
        Figure("Test loss", Figures.Loss(evaluation.Loss));
        if (model.Epochs.Count > 0 && model.Epochs[0].Penalty is not null)
        {
            Figure(
                "Penalty",
                $"{Figures.Rate(ChosenPenalty(model))}{(model.Epochs.Count > 1 ? $", the best of {model.Epochs.Count}" : "")}"
            );
        }
        else if (model.BestEpoch is { } best)
        {
            Figure("Best epoch", model.Epochs.Count > 0 ? $"{best} of {model.Epochs.Count}" : $"{best}");
        }

        Figure("Training images", Figures.Count(dataset.TrainImages));
        Figure("Validation images", dataset.ValidationImages == 0 ? "none" : Figures.Count(dataset.ValidationImages));
        Figure("Test images", Figures.Count(dataset.TestImages));
        Figure("Total time", Figures.Seconds(model.Stages.TotalSeconds));
        html.Add(
            $"""
            </dl>
            <details>
            <summary>How the features and the head were made</summary>
            <dl class="facts">
            <dt>Base</dt><dd><bdi>{features.BackboneOrigin}</bdi></dd>
            <dt>Base SHA-256</dt><dd><code>{features.BackboneSha256}</code></dd>
            <dt>Feature set</dt><dd><code>{features.Key}</code></dd>
            <dt>Precision</dt><dd>{features.Precision}</dd>
            <dt>Input</dt><dd>{features.InputSize} × {features.InputSize} px, {features.Fit}</dd>
            <dt>Preprocessing</dt><dd>{features.Preprocessing}</dd>
            <dt>Head</dt><dd>{Head(model)}</dd>
            <dt>Head SHA-256</dt><dd><code>{model.Head.Sha256}</code></dd>
            </dl>
            </details>
            </section>
            """
        );

        void Figure(string name, string value) => html.Add($"<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
}
