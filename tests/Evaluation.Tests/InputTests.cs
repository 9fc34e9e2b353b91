using System.Net;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Ingestion;
using Distributed.ServiceTests;
using Distributed.Training;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation.Tests;

/// <summary>What a run says about its own input, from folder to report.</summary>
public sealed class InputTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() =>
        _services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
            },
            ("Training:Device", "cpu")
        );

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task The_report_of_a_folder_whose_images_are_known_from_another_one_is_of_this_folder()
    {
        var first = await ReportAsync(
            await _services.RunAsync(Specify(_services.WritePictures("pets", imagesAClass: 12)), RunState.Completed)
        );
        for (var image = 0; image < 24; image++)
        {
            _services.WriteFile($"animals/class{image % 2}/own-{image / 2:D3}.png", ServiceHarness.Picture(image % 2, image / 2));
        }

        _services.WriteFile("animals/class1/zz.txt", "no picture"u8.ToArray());
        var run = await _services.RunAsync(Specify(_services.Data("animals")), RunState.Completed);
        var second = await ReportAsync(run);

        Assert.Equal(1, await _services.QueryAsync(context => context.Datasets.CountAsync()));
        Assert.Contains("none of 24 files", first, StringComparison.Ordinal);
        Assert.Contains($"<bdi>{_services.Data("animals")}</bdi>", second, StringComparison.Ordinal);
        Assert.Contains("class1/zz.txt", second, StringComparison.Ordinal);
        Assert.Contains("1 of 25 files", second, StringComparison.Ordinal);
        // Of the pictures, too.
        Assert.Contains("/own-", second, StringComparison.Ordinal);
        Assert.DoesNotContain(_services.Data("pets"), second, StringComparison.Ordinal);
        Assert.DoesNotContain("class0/00", second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_class_without_test_images_has_no_figures_and_is_warned_of()
    {
        for (var image = 0; image < 8; image++)
        {
            for (var label = 0; label < 3; label++)
            {
                _services.WriteFile($"pets/train/class{label}/{image}.png", ServiceHarness.Picture(label, image));
            }

            _services.WriteFile($"pets/test/class{image % 2}/{image}.png", ServiceHarness.Picture(image % 2, 100 + image));
        }

        // A folder for the class, and nothing in it that is an image.
        _services.WriteFile("pets/test/class2/notes.txt", "no picture"u8.ToArray());

        var run = await _services.RunAsync(Specify(_services.Data("pets")), RunState.Completed);

        var metrics = await _services.QueryAsync(context =>
            context.ClassMetrics.AsNoTracking().OrderBy(metric => metric.Label).ToListAsync()
        );
        Assert.Null(metrics[2].Recall);
        Assert.Equal((0, metrics[2].Precision is null), (metrics[2].Support, metrics[2].F1 is null));
        var evaluation = await _services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync());
        Assert.Equal(metrics.Average(metric => metric.F1)!.Value, evaluation.MacroF1, 12);
        // Three of three guesses are always right: that is no figure.
        Assert.Equal((3, null), (evaluation.TopK, evaluation.TopKAccuracy));
        var report = await ReportAsync(run);
        Assert.Contains("1 of 3 classes has no test image: 'class2'", report, StringComparison.Ordinal);
        Assert.Contains(">n/a</td>", report, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_skipped_files_than_a_run_allows_fail_it_and_not_one_that_allows_them()
    {
        var folder = _services.WritePictures("pets");
        for (var file = 0; file < 20; file++)
        {
            _services.WriteFile($"pets/class{file % 2}/{file}.raw", "not a picture of any kind"u8.ToArray());
        }

        var reason = await _services.FailAsync(Specify(folder));

        Assert.Contains("20 of 32 files", reason, StringComparison.Ordinal);
        Assert.Contains("more than the share of 0.5 that maxSkipped allows", reason, StringComparison.Ordinal);
        var run = await _services.RunAsync(Specify(folder) with { MaxSkipped = 0.7 }, RunState.Completed);
        Assert.Contains("62.5 % of the files were skipped, 20 of 32 files", await ReportAsync(run), StringComparison.Ordinal);
    }

    private static RunSpecification Specify(string dataset) =>
        new()
        {
            Dataset = dataset,
            Backbone = "random",
            InputSize = 32,
            Precision = Precision.Fp32,
        };

    private async Task<string> ReportAsync(Run run)
    {
        var evaluation = await _services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id));
        return WebUtility.HtmlDecode(await File.ReadAllTextAsync(_services.Volume.FullPath(evaluation.Report!.Path)));
    }
}
