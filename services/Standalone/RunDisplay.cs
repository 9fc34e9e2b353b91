using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
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
        (RunState.Extracting, "Extracting features"),
        (RunState.Training, "Training the head"),
        (RunState.Evaluating, "Evaluating"),
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
            Console.Out.WriteLine(JsonSerializer.Serialize(ToJson(outcome), ContractJson.Strict));
        }
    }

    private static object ToJson(RunOutcome outcome) =>
        new
        {
            runId = outcome.Run.Summary.RunId,
            state = outcome.Run.Summary.State,
            testAccuracy = outcome.Evaluation.TestAccuracy,
            testAccuracyLow = outcome.Evaluation.TestAccuracyLow,
            testAccuracyHigh = outcome.Evaluation.TestAccuracyHigh,
            testImages = outcome.Evaluation.TestImages,
            trainImages = outcome.Run.TrainImages,
            validationImages = outcome.Run.ValidationImages,
            input = outcome.Run.Input,
            warnings = outcome.Run.Warnings,
            macroF1 = outcome.Evaluation.MacroF1,
            featureCacheHit = outcome.Run.FeatureCacheHit,
            precision = outcome.Precision,
            backbone = outcome.Run.Summary.Backbone,
            seconds = outcome.Run.Seconds,
            headSha256 = outcome.Run.HeadSha256,
            headPath = outcome.HeadPath,
            reportPath = outcome.ReportPath,
        };

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
                var bars = Stages.ToDictionary(stage => stage.State, stage => context.AddTask(stage.Title, autoStart: false, maxValue: 1));
                return await watch(detail =>
                {
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
        var evaluation = outcome.Evaluation;
        var run = outcome.Run;
        console.WriteLine();
        var facts = new Grid().AddColumn().AddColumn();
        Row(
            "Test accuracy",
            $"{evaluation.TestAccuracy:P1}  (95 % interval {evaluation.TestAccuracyLow:P1} to {evaluation.TestAccuracyHigh:P1}, {evaluation.TestImages:N0} images)"
        );
        if (evaluation.TopKAccuracy is { } topK)
        {
            Row($"Top-{evaluation.TopK} accuracy", $"{topK:P1}");
        }

        // A run goes through this program's own ingestion, so it is always known what that found.
        var input = run.Input!;
        Row(
            "Data set",
            $"{input.Name}: {run.TrainImages:N0} train, {run.ValidationImages:N0} validation, {run.TestImages:N0} test images of {input.Classes:N0} classes"
        );
        Row("Splits", input.DescribeSplits());
        foreach (var note in input.Notes)
        {
            Row("Read as", note);
        }

        Row("Skipped", input.DescribeSkipped());
        if (input.DescribeDuplicates() is { } duplicates)
        {
            Row("Duplicates", run.RemovedDuplicates > 0 ? $"{duplicates}; {run.RemovedDuplicates:N0} removed from training" : duplicates);
        }

        Row("Backbone", $"{run.Summary.Backbone} ({outcome.Precision})");
        Row("Run", $"{run.Summary.RunId:D}");
        console.Write(facts);
        console.WriteLine();

        var classes = new Table().Border(TableBorder.Simple).AddColumn("Class");
        foreach (var title in new[] { "Precision", "Recall", "F1", "Images" })
        {
            classes.AddColumn(new TableColumn(title).RightAligned());
        }

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

        console.Write(classes);

        var stages = new Table()
            .Border(TableBorder.Simple)
            .AddColumn("Stage")
            .AddColumn(new TableColumn("Seconds").RightAligned())
            .AddColumn(new TableColumn("Images/s").RightAligned());
        Stage(outcome.WasIngested ? "Ingest" : "Ingest (known)", run.Seconds.Ingest, outcome.WasIngested ? input.Images : null);
        Stage(
            run.FeatureCacheHit == true ? "Features (cached)" : "Features",
            run.Seconds.Features,
            run.FeatureCacheHit == true ? null : input.Images
        );
        Stage("Train", run.Seconds.Train, null);
        Stage("Evaluate", run.Seconds.Evaluate, null);
        Stage("Total", run.Seconds.Total, null);
        console.Write(stages);

        foreach (var warning in run.Warnings)
        {
            console.Profile.Out.Writer.WriteLine($"Warning  {warning}");
        }

        // Not in a grid: paths must stay whole on narrow terminals, to be copied.
        if (outcome.ReportPath is { } report)
        {
            console.Profile.Out.Writer.WriteLine($"Report  {report}");
        }

        console.Profile.Out.Writer.WriteLine($"Head    {outcome.HeadPath}");
        console.Profile.Out.Writer.WriteLine($"Volume  {outcome.VolumePath}");

        static string Figure(double? share) => share is { } value ? $"{value:F3}" : "n/a";

        void Row(string title, string value) => facts.AddRow(Markup.Escape(title), Markup.Escape(value));

        void Stage(string title, double? seconds, int? images) =>
            stages.AddRow(title, $"{seconds:F1}", images is { } count && seconds > 0 ? $"{count / seconds:F0}" : "");
    }
}
