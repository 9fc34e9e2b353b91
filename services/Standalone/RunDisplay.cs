using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Pipeline;
using Spectre.Console;

namespace Distributed.Standalone;

/// <summary>Shows progress and outcome: bars on a terminal, plain lines elsewhere; with JSON, everything but the object goes to standard error.</summary>
internal sealed class RunDisplay(IAnsiConsole console, bool json)
{
    private static readonly (RunState State, string Title)[] Stages =
    [
        (RunState.Ingesting, "Ingesting images"),
        (RunState.Comparing, "Comparing bases"),
        (RunState.Extracting, "Extracting features"),
        (RunState.Training, "Training the head"),
        (RunState.Evaluating, "Evaluating"),
        (RunState.Predicting, "Predicting"),
    ];

    public static RunDisplay Create(bool json) =>
        new(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(json ? Console.Error : Console.Out) }), json);

    public void ShowLine(string text) => console.WriteLine(text);

    /// <summary>Shows what is reported while something runs.</summary>
    public async Task<T> ShowProgressAsync<T>(Func<Action<RunDetail>, Task<T>> watch) =>
        console.Profile.Out.IsTerminal
            ? await ShowBarsAsync(show => watch(WithCauses(show, console.WriteLine)))
            : await watch(WithCauses(CreateLines(), console.Profile.Out.Writer.WriteLine));

    public void ShowOutcome(RunOutcome outcome)
    {
        ShowTables(outcome);
        if (json)
        {
            Console.Out.WriteLine(ToJson(outcome).ToJsonString(ContractJson.Strict));
        }
    }

    private static JsonObject ToJson(RunOutcome outcome)
    {
        var run = outcome.Run;
        var facts = JsonSerializer
            .SerializeToNode(
                new
                {
                    runId = run.Summary.RunId,
                    state = run.Summary.State,
                    model = run.Summary.Model,
                    testAccuracy = outcome.Evaluation?.TestAccuracy,
                    testAccuracyLow = outcome.Evaluation?.TestAccuracyLow,
                    testAccuracyHigh = outcome.Evaluation?.TestAccuracyHigh,
                    testImages = outcome.Evaluation?.TestImages,
                    trainImages = run.TrainImages,
                    validationImages = run.ValidationImages,
                    input = run.Input,
                    warnings = run.Warnings,
                    macroF1 = outcome.Evaluation?.MacroF1,
                    classes = run.Predictions?.Classes,
                    featureCacheHit = run.FeatureCacheHit,
                    precision = outcome.Precision,
                    inputSize = outcome.InputSize,
                    featureSize = outcome.FeatureSize,
                    backbone = run.Summary.Backbone,
                    comparison = run.Comparison,
                    seconds = run.Seconds,
                    headSha256 = run.HeadSha256,
                },
                ContractJson.Strict
            )!
            .AsObject();
        foreach (var file in outcome.Files)
        {
            facts[file.Field] = file.Path;
        }

        return facts;
    }

    private static string Describe(StageProgress? progress) =>
        progress is null ? ""
        : progress is { Done: 0, Total: null } ? progress.Stage
        : progress.Total is { } total ? $"{progress.Stage}: {progress.Done:N0} of {total:N0}"
        : $"{progress.Stage}: {progress.Done:N0}";

    private Task<T> ShowBarsAsync<T>(Func<Action<RunDetail>, Task<T>> watch) =>
        console
            .Progress()
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn(),
                new PercentageColumn(),
                new ElapsedTimeColumn(),
                new SpinnerColumn()
            )
            .StartAsync(async context =>
            {
                var bars = new Dictionary<RunState, ProgressTask>();
                return await watch(detail =>
                {
                    foreach (var (state, title) in Stages.Where(stage => IsOnWay(stage.State, detail) && !bars.ContainsKey(stage.State)))
                    {
                        bars.Add(state, context.AddTask(title, autoStart: false, maxValue: 1));
                    }

                    foreach (var (state, bar) in bars)
                    {
                        if (detail.Summary.State > state && detail.Summary.State is not (RunState.Failed or RunState.Cancelled))
                        {
                            Finish(bar);
                        }
                        else if (detail.Summary.State == state)
                        {
                            if (!bar.IsStarted)
                            {
                                bar.StartTask();
                            }

                            if (detail.Progress is { Total: > 0 } progress)
                            {
                                bar.Value = (double)progress.Done / progress.Total.Value;
                            }
                        }
                    }
                });
            });

    /// <summary>Runs that predict with a model are not trained and evaluated, others do not predict, and few compare bases.</summary>
    private static bool IsOnWay(RunState state, RunDetail run) =>
        state switch
        {
            RunState.Ingesting => true,
            RunState.Comparing => run.Compares,
            _ when run.Specification.TryGetProperty("kind", out var kind) && kind.ValueEquals("compare") => false,
            RunState.Predicting => run.Summary.Model is not null,
            RunState.Training or RunState.Evaluating => run.Summary.Model is null,
            _ => true,
        };

    private static void Finish(ProgressTask bar)
    {
        // Starting or stopping a bar again would set its clock again.
        if (!bar.IsStarted)
        {
            bar.StartTask();
        }

        if (!bar.IsFinished)
        {
            bar.Value = bar.MaxValue;
            bar.StopTask();
        }
    }

    /// <summary>Reports what a run has come to wait for, once, and when it waits no longer.</summary>
    private static Action<RunDetail> WithCauses(Action<RunDetail> show, Action<string> tell)
    {
        var waits = false;
        return detail =>
        {
            if (detail.Waiting is not null != waits)
            {
                waits = !waits;
                tell(waits ? $"Waiting: {detail.Waiting}" : "Going on.");
            }

            show(detail);
        };
    }

    private Action<RunDetail> CreateLines()
    {
        var started = Stopwatch.GetTimestamp();
        var shown = (Guid.Empty, RunState.Submitted, -1L);
        var shownAt = TimeSpan.Zero;
        return detail =>
        {
            var now = Stopwatch.GetElapsedTime(started);
            var current = (detail.Summary.RunId, detail.Summary.State, detail.Progress?.Done ?? 0);
            var isNewStage = current.State != shown.Item2 || current.RunId != shown.Item1;
            var title = Array.Find(Stages, stage => stage.State == current.State).Title;
            if (title is null || current == shown || (!isNewStage && now - shownAt < TimeSpan.FromSeconds(1)))
            {
                return;
            }

            (shown, shownAt) = (current, now);
            console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"[{now.TotalSeconds, 6:F1} s] {title}  {Describe(detail.Progress)}").TrimEnd()
            );
        };
    }

    private void ShowTables(RunOutcome outcome)
    {
        console.WriteLine();
        console.Write(Facts(outcome));
        console.WriteLine();
        if (outcome.Run.Comparison is { } comparison)
        {
            console.Write(Bases(comparison));
        }

        if (outcome.Evaluation is { } evaluation)
        {
            console.Write(Classes(evaluation));
        }

        if (outcome.Run.Predictions is { } predictions)
        {
            console.Write(Classes(predictions));
        }

        console.Write(StageTable(outcome));
        foreach (var left in outcome.Run.Comparison?.Bases.Where(one => one.Reason is not null) ?? [])
        {
            console.Profile.Out.Writer.WriteLine($"{left.Backbone} was left out: {left.Reason}");
        }

        foreach (var warning in outcome.Run.Warnings)
        {
            console.Profile.Out.Writer.WriteLine($"Warning  {warning}");
        }

        // Not in a grid: paths must stay whole on narrow terminals, to be copied.
        foreach (var file in outcome.Files)
        {
            console.Profile.Out.Writer.WriteLine($"{file.Title, -6}  {file.Path}");
        }

        console.Profile.Out.Writer.WriteLine($"Volume  {outcome.VolumePath}");
    }

    private static Grid Facts(RunOutcome outcome)
    {
        var facts = new Grid().AddColumn().AddColumn();
        var run = outcome.Run;
        // A run goes through this program's own ingestion, so it is always known what that found.
        var input = run.Input!;
        if (outcome.Evaluation is { } evaluation)
        {
            Row(
                "Test accuracy",
                $"{evaluation.TestAccuracy:P1}  (95 % interval {evaluation.TestAccuracyLow:P1} to {evaluation.TestAccuracyHigh:P1}, {evaluation.TestImages:N0} images)"
            );
            if (evaluation.TopKAccuracy is { } topK)
            {
                Row($"Top-{evaluation.TopK} accuracy", $"{topK:P1}");
            }

            Row(
                "Data set",
                $"{input.Name}: {run.TrainImages:N0} train, {run.ValidationImages:N0} validation, {run.TestImages:N0} test images of {input.Classes:N0} classes"
            );
            Row("Splits", input.DescribeSplits());
        }
        else
        {
            if (run.Summary.Model is { } model)
            {
                Row("Model", model);
            }

            Row("Data set", $"{input.Name}: {input.Images:N0} images");
        }

        if (run.Comparison is { } comparison)
        {
            Row("Best base", $"{comparison.Backbone}, compared on {comparison.Images:N0} training images");
        }

        foreach (var note in input.Notes)
        {
            Row("Read as", note);
        }

        Row("Skipped", input.DescribeSkipped());
        if (input.DescribeDuplicates() is { } duplicates)
        {
            Row("Duplicates", run.RemovedDuplicates > 0 ? $"{duplicates}; {run.RemovedDuplicates:N0} removed from training" : duplicates);
        }

        if (outcome.Precision is { } precision)
        {
            Row("Backbone", $"{run.Summary.Backbone} ({precision})");
        }

        Row("Run", $"{run.Summary.RunId:D}");
        return facts;

        void Row(string title, string value) => facts.AddRow(Markup.Escape(title), Markup.Escape(value));
    }

    private static Table Bases(ComparisonResult comparison)
    {
        var bases = NewTable("Base", "px", "Accuracy", "95 %", "p", "Images/s");
        bases.Columns[0].NoWrap();
        foreach (var one in comparison.Bases)
        {
            bases.AddRow(
                Markup.Escape(one.IsChosen ? $"{one.Backbone} *" : one.Backbone),
                $"{one.InputSize}",
                one.Accuracy is { } accuracy ? $"{accuracy:P1}" : "left out",
                one.Accuracy is null ? "" : $"{100 * one.AccuracyLow:F1} to {100 * one.AccuracyHigh:F1}",
                one.PValue is { } p ? $"{p:F3}" : "",
                one.ImagesPerSecond is { } speed ? $"{speed:F0}" : ""
            );
        }

        return bases;
    }

    private static Table Classes(EvaluationResult evaluation)
    {
        var classes = NewTable("Class", "Precision", "Recall", "F1", "Images");
        foreach (var metric in evaluation.Classes)
        {
            classes.AddRow(
                Markup.Escape(metric.ClassName),
                Figure(metric.Precision),
                Figure(metric.Recall),
                Figure(metric.F1),
                $"{metric.Support}"
            );
        }

        return classes;

        static string Figure(double? share) => share is { } value ? $"{value:F3}" : "n/a";
    }

    private static Table Classes(PredictionSummary predictions)
    {
        var classes = NewTable("Predicted as", "Images");
        foreach (var predicted in predictions.Classes)
        {
            classes.AddRow(Markup.Escape(predicted.ClassName), $"{predicted.Images:N0}");
        }

        return classes;
    }

    private static Table StageTable(RunOutcome outcome)
    {
        var run = outcome.Run;
        var images = run.Input!.Images;
        var stages = NewTable("Stage", "Seconds", "Images/s");
        Stage(outcome.WasIngested ? "Ingest" : "Ingest (known)", run.Seconds.Ingest, outcome.WasIngested ? images : null);
        if (outcome.Precision is null)
        {
            Stage("Total", run.Seconds.Total, null);
            return stages;
        }

        Stage(
            run.FeatureCacheHit == true ? "Features (cached)" : "Features",
            run.Seconds.Features,
            run.FeatureCacheHit == true ? null : images
        );
        if (run.Summary.Model is null)
        {
            Stage("Train", run.Seconds.Train, null);
            Stage("Evaluate", run.Seconds.Evaluate, null);
        }
        else
        {
            Stage("Predict", run.Seconds.Predict, images);
        }

        Stage("Total", run.Seconds.Total, null);
        return stages;

        void Stage(string title, double? seconds, int? images) =>
            stages.AddRow(title, $"{seconds:F1}", images is { } count && seconds > 0 ? $"{count / seconds:F0}" : "");
    }

    /// <summary>A table whose columns but the first hold numbers.</summary>
    private static Table NewTable(string first, params string[] numbers)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn(first);
        foreach (var title in numbers)
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        return table;
    }
}
