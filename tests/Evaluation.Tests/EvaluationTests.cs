using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Sources;
using Distributed.Networks;
using Distributed.ServiceTests;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation.Tests;

public sealed class EvaluationTests(CompletedRun completed) : IClassFixture<CompletedRun>
{
    private ServiceHarness Services => completed.Services;

    [Fact]
    public async Task The_confusion_matrix_holds_every_test_image_once_and_gives_the_accuracy()
    {
        var evaluation = await FindAsync();
        var confusion = Confusion(evaluation);

        Assert.Equal(10, confusion.Length);
        Assert.All(confusion, row => Assert.Equal(10, row.Length));
        Assert.Equal((120, 120), (evaluation.TestImages, completed.Run.TestImages));
        Assert.Equal(120, confusion.Sum(row => row.Sum()));
        Assert.Equal(Enumerable.Range(0, 10).Sum(label => confusion[label][label]) / 120.0, evaluation.TestAccuracy, 12);
    }

    [Fact]
    public async Task The_accuracy_stands_in_its_wilson_interval()
    {
        var evaluation = await FindAsync();

        // Wilson (1927), by hand.
        const double Z = 1.959963984540054;
        var (n, p) = (120.0, evaluation.TestAccuracy);
        var centre = (p + (Z * Z / (2 * n))) / (1 + (Z * Z / n));
        var half = Z * Math.Sqrt((p * (1 - p) / n) + (Z * Z / (4 * n * n))) / (1 + (Z * Z / n));
        Assert.Equal(centre - half, evaluation.TestAccuracyLow, 6);
        Assert.Equal(centre + half, evaluation.TestAccuracyHigh, 6);
        Assert.InRange(evaluation.TestAccuracy, evaluation.TestAccuracyLow, evaluation.TestAccuracyHigh);
        Assert.Equal(3, evaluation.TopK);
        Assert.InRange(evaluation.TopKAccuracy!.Value, evaluation.TestAccuracy, 1);
    }

    [Fact]
    public async Task The_metrics_of_every_class_are_those_of_its_row_and_column()
    {
        var evaluation = await FindAsync();
        var confusion = Confusion(evaluation);
        var metrics = await Services.QueryAsync(context =>
            context
                .ClassMetrics.AsNoTracking()
                .Where(metric => metric.RunId == completed.Run.Id)
                .OrderBy(metric => metric.Label)
                .ToListAsync()
        );

        Assert.Equal(SampleDataset.ClassNames, metrics.Select(metric => metric.ClassName));
        foreach (var metric in metrics)
        {
            var right = confusion[metric.Label][metric.Label];
            var named = confusion.Sum(row => row[metric.Label]);
            Assert.Equal(confusion[metric.Label].Sum(), metric.Support);
            Assert.Equal(right / (double)metric.Support, metric.Recall!.Value, 12);
            Assert.Equal(named == 0 ? null : right / (double)named, metric.Precision);
            Assert.Equal(2.0 * right / (metric.Support + named), metric.F1!.Value, 12);
        }

        Assert.Equal(metrics.Average(metric => metric.F1)!.Value, evaluation.MacroF1, 12);
    }

    [Fact]
    public async Task The_head_that_was_tested_is_the_best_one()
    {
        var evaluation = await FindAsync();
        var best = await Services.QueryAsync(context =>
            context
                .Checkpoints.AsNoTracking()
                .Where(row => row.RunId == completed.Run.Id && row.Kind == CheckpointKind.Best)
                .OrderByDescending(row => row.Slice)
                .FirstAsync()
        );

        Assert.Equal(best.File.Sha256, evaluation.HeadSha256);
        Assert.Equal(
            evaluation.HeadSha256,
            Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Services.Volume.FullPath(best.File.Path))))
        );
    }

    [Fact]
    public async Task The_report_is_the_file_that_the_catalog_names_and_tells_the_result()
    {
        var evaluation = await FindAsync();
        var path = Services.Volume.FullPath(evaluation.Report!.Path);

        Assert.Equal(evaluation.Report.Sha256, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(path))));
        var text = WebUtility.HtmlDecode(await File.ReadAllTextAsync(path));
        Assert.Contains($"id=\"accuracy\">{(evaluation.TestAccuracy * 100).ToString("F1", CultureInfo.InvariantCulture)}<", text);
        Assert.Contains("120 test images", text);
        Assert.Contains(completed.Run.Id.ToString(), text);
        Assert.Contains(evaluation.HeadSha256, text);
        Assert.Contains("Shapes & <figures>", text);
        Assert.DoesNotContain("<figures>", await File.ReadAllTextAsync(path));
        Assert.Contains(RunCommandLine.Write(completed.Specification), text);
        Assert.All(SampleDataset.ClassNames, name => Assert.Contains(name, text));
    }

    [Fact]
    public async Task The_report_says_of_random_weights_that_they_are_a_floor()
    {
        var text = await ReadReportAsync(await FindAsync());

        Assert.Contains("The backbone's weights are random", text);
        Assert.DoesNotContain("ImageNet", text);
    }

    [Fact]
    public async Task What_is_published_is_what_the_catalog_says()
    {
        var evaluation = await FindAsync();
        await ServiceHarness.UntilAsync(() =>
            Task.FromResult(Services.Events.OfType<RunEvaluated>().Any(evaluated => evaluated.RunId == completed.Run.Id))
        );

        Assert.Equal(
            new RunEvaluated(
                completed.Run.Id,
                "Shapes & <figures>",
                evaluation.TestAccuracy,
                evaluation.TestAccuracyLow,
                evaluation.TestAccuracyHigh,
                120,
                evaluation.Report!.Path
            ),
            Services.Events.OfType<RunEvaluated>().First(evaluated => evaluated.RunId == completed.Run.Id)
        );
    }

    [Fact]
    public async Task A_run_that_asks_for_no_report_has_the_same_figures_and_none_is_written()
    {
        var first = await FindAsync();

        var run = await Services.RunAsync(completed.Specification with { Report = false }, RunState.Completed);

        var second = await FindAsync(run.Id);
        Assert.Equal(
            (first.HeadSha256, first.TestAccuracy, first.ConfusionMatrix),
            (second.HeadSha256, second.TestAccuracy, second.ConfusionMatrix)
        );
        Assert.Null(second.Report);
        Assert.DoesNotContain(
            Directory.EnumerateFiles(Services.Volume.FullPath($"runs/{run.Id:D}")),
            path => path.EndsWith(".html", StringComparison.Ordinal)
        );
        await ServiceHarness.UntilAsync(() =>
            Task.FromResult(Services.Events.OfType<RunEvaluated>().Any(evaluated => evaluated.RunId == run.Id))
        );
        Assert.Null(Services.Events.OfType<RunEvaluated>().First(evaluated => evaluated.RunId == run.Id).ReportPath);
    }

    [Fact]
    public async Task The_same_run_again_has_the_same_head_and_the_same_result()
    {
        var first = await FindAsync();

        var run = await Services.RunAsync(completed.Specification, RunState.Completed);

        var second = await FindAsync(run.Id);
        Assert.Equal(
            (first.HeadSha256, first.TestAccuracy, first.TestLoss, first.ConfusionMatrix),
            (second.HeadSha256, second.TestAccuracy, second.TestLoss, second.ConfusionMatrix)
        );
        Assert.NotEqual(first.Report!.Path, second.Report!.Path);
    }

    [Fact]
    public async Task A_trained_base_gets_no_note_about_random_weights()
    {
        var run = await Services.RunAsync(completed.Specification with { Backbone = "demo" }, RunState.Completed);

        Assert.DoesNotContain("Keep in mind", await ReadReportAsync(await FindAsync(run.Id)));
    }

    [Theory]
    [InlineData("stl10", SourceFormat.Stl10Binary, DenseNet.ImagenetSha256, "the ImageNet weights of the backbone may have seen")]
    [InlineData("/data/stl10", SourceFormat.Stl10Binary, DenseNet.ImagenetSha256, "the ImageNet weights of the backbone may have seen")]
    [InlineData("stl10", SourceFormat.Stl10Binary, "00", "if the backbone's weights were trained on ImageNet")]
    [InlineData("sample", SourceFormat.Stl10Binary, DenseNet.ImagenetSha256, null)]
    [InlineData("/data/pets", SourceFormat.ImageFolder, DenseNet.ImagenetSha256, null)]
    [InlineData("stl10", SourceFormat.Stl10Binary, null, null)]
    public void Stl10_may_have_been_seen_by_imagenet_weights_and_nothing_else_is_said_to(
        string dataset,
        SourceFormat format,
        string? weights,
        string? said
    )
    {
        var manifest = new DatasetManifest("set", format, "/data", "00", [], [], Folds: null);
        var backbone = new Backbone
        {
            Sha256 = weights ?? "00",
            // However the run called the file: what counts is what it is.
            Source = weights is null ? "demo" : "/data/weights.safetensors",
            Architecture = "densenet121",
            Origin = "",
            File = weights is null ? null : new StoredFile("backbones/weights", 1, weights),
            CreatedAt = default,
        };

        var notes = ReportComposer.Note(new RunSpecification { Dataset = dataset }, manifest, backbone);

        if (said is null)
        {
            Assert.Empty(notes);
        }
        else
        {
            Assert.Contains(said, Assert.Single(notes));
        }
    }

    private static int[][] Confusion(Catalog.Evaluation evaluation) => JsonSerializer.Deserialize<int[][]>(evaluation.ConfusionMatrix)!;

    private Task<Catalog.Evaluation> FindAsync(Guid? runId = null)
    {
        var id = runId ?? completed.Run.Id;
        return Services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == id));
    }

    private async Task<string> ReadReportAsync(Catalog.Evaluation evaluation) =>
        WebUtility.HtmlDecode(await File.ReadAllTextAsync(Services.Volume.FullPath(evaluation.Report!.Path)));
}
