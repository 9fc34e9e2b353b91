using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Ingestion;
using Distributed.ServiceTests;
using Distributed.Training;
using Distributed.Vision.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Evaluation.Tests;

/// <summary>Runs on pictures of which some have a wrong label, and some stand brighter among the test images.</summary>
public sealed class AuditTests : IAsyncLifetime
{
    private const int Side = 40;
    private const int TrainImages = 24;
    private const int TestImages = 8;
    private const int Swapped = 5;
    private const int Leaked = 3;

    private ServiceHarness _services = null!;
    private RunSpecification _specification = null!;

    public async ValueTask InitializeAsync()
    {
        _services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
            },
            ("Training:Device", "cpu")
        );
        for (var label = 0; label < 3; label++)
        {
            for (var image = 0; image < TrainImages; image++)
            {
                var drawn = image == Swapped ? (label + 1) % 3 : label;
                _services.WriteFile($"shapes/train/class{label}/{image:D2}.png", Draw(drawn, (label * 100) + image, brighter: 0));
            }

            for (var image = 0; image < TestImages; image++)
            {
                _services.WriteFile(
                    $"shapes/test/class{label}/{image:D2}.png",
                    image < Leaked
                        ? Draw(label, (label * 100) + image, brighter: 20)
                        : Draw(label, 1000 + (label * 100) + image, brighter: 0)
                );
            }
        }

        _specification = new RunSpecification
        {
            Dataset = _services.Data("shapes"),
            Backbone = "demo",
            InputSize = 40,
            Precision = Precision.Fp32,
            TopK = 2,
            ValidationFraction = 0.25,
        };
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task Wrong_labels_are_least_probable_and_brighter_copies_are_found_across_the_splits()
    {
        var run = await _services.RunAsync(_specification, RunState.Completed);

        var evaluation = await FindAsync(run);
        var (audit, record) = await ReadAuditAsync(evaluation);
        var manifest = await _services.Services.GetRequiredService<DatasetArtifacts>().ReadManifestAsync(run.DatasetSha256!, default);
        string Name(int image) => manifest.Images[image].Name;
        Assert.Equal(3 * TrainImages, audit.Labels.Count);
        Assert.Equal(
            [.. Enumerable.Range(0, 3).Select(label => $"train/class{label}/{Swapped:D2}.png")],
            audit.Labels.Take(3).Select(label => Name(label.Image)).Order(StringComparer.Ordinal)
        );
        Assert.All(audit.Labels.Take(3), label => Assert.Equal((label.Label + 1) % 3, label.Suggested));
        Assert.Equal(
            [.. Enumerable.Range(0, 3).SelectMany(label => Enumerable.Range(0, Leaked), (label, image) => $"class{label}/{image:D2}.png")],
            audit.NearDuplicates.Select(pair => Name(pair.Test)["test/".Length..]).Distinct().Order(StringComparer.Ordinal)
        );
        // Two patterns may be alike by chance, but the copy is more so.
        Assert.All(
            audit.NearDuplicates.DistinctBy(pair => pair.Test),
            pair => Assert.Equal(Name(pair.Test)["test/".Length..], Name(pair.Training)["train/".Length..])
        );
        Assert.Equal(
            (3 * TrainImages, audit.Doubted, audit.NearDuplicates.Count),
            (record.JudgedLabels, record.DoubtedLabels, record.NearDuplicates)
        );
        Assert.Equal(3 * Leaked, evaluation.LeakedTestImages);
        var predictions = await ReadPredictionsAsync(evaluation);
        var leaked = audit.NearDuplicates.Select(pair => pair.Test).ToHashSet();
        var left = predictions.Where(prediction => !leaked.Contains(prediction.Image)).ToList();
        Assert.Equal(3 * (TestImages - Leaked), left.Count);
        Assert.Equal(left.Average(prediction => prediction.IsRight ? 1 : 0), evaluation.UnleakedAccuracy!.Value, 12);
    }

    [Fact]
    public async Task What_was_predicted_for_each_image_gives_the_figures()
    {
        var run = await _services.RunAsync(_specification, RunState.Completed);

        var evaluation = await FindAsync(run);
        var predictions = await ReadPredictionsAsync(evaluation);
        Assert.Equal(3 * TestImages, predictions.Count);
        Assert.Equal(evaluation.TestAccuracy, predictions.Average(prediction => prediction.IsRight ? 1 : 0), 12);
        var bins = JsonSerializer.Deserialize<ReliabilityBin[]>(evaluation.Reliability, JsonSerializerOptions.Web)!;
        Assert.Equal(3 * TestImages, bins.Sum(bin => bin.Count));
        Assert.Equal(
            bins.Where(bin => bin.Count > 0).Sum(bin => bin.Count * Math.Abs(bin.Confidence!.Value - bin.Accuracy!.Value))
                / (3 * TestImages),
            evaluation.CalibrationError,
            9
        );
        Assert.NotEqual(1, evaluation.Temperature);
    }

    [Fact]
    public async Task Runs_with_the_same_features_and_splits_share_an_audit_which_is_recomputed_where_its_file_is_damaged()
    {
        var first = await FindAsync(await _services.RunAsync(_specification, RunState.Completed));
        var (audit, record) = await ReadAuditAsync(first);

        var second = await FindAsync(await _services.RunAsync(_specification with { Seed = 7 }, RunState.Completed));
        var other = await FindAsync(await _services.RunAsync(_specification with { SplitSeed = 7 }, RunState.Completed));
        Assert.Equal((record.Key, record.File), (second.AuditKey, (await ReadAuditAsync(second)).Record.File));
        Assert.NotEqual(record.Key, other.AuditKey);

        await File.WriteAllBytesAsync(_services.Volume.FullPath(record.File.Path), [1, 2, 3]);
        var third = await FindAsync(await _services.RunAsync(_specification with { Seed = 8 }, RunState.Completed));
        var (again, recordAgain) = await ReadAuditAsync(third);
        Assert.Equal(record.Key, recordAgain.Key);
        Assert.NotEqual(record.File.Path, recordAgain.File.Path);
        Assert.Equal(audit.Labels, again.Labels);
        Assert.Equal(audit.NearDuplicates, again.NearDuplicates);
    }

    [Fact]
    public async Task Without_validation_images_probabilities_stay_as_they_are()
    {
        var run = await _services.RunAsync(_specification with { ValidationFraction = 0 }, RunState.Completed);

        var evaluation = await FindAsync(run);
        Assert.Equal((1, evaluation.UncalibratedError), (evaluation.Temperature, evaluation.CalibrationError));
    }

    /// <summary>Stripes, rings or a chequered pattern, whose place, colours and size are drawn.</summary>
    private static byte[] Draw(int label, int seed, int brighter)
    {
        var random = new Random(seed);
        var (x0, y0, width) = (random.Next(Side), random.Next(Side), 3 + random.Next(3));
        var colours = new byte[6];
        random.NextBytes(colours);
        var pixels = new byte[Side * Side * 3];
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++)
            {
                var isOn = label switch
                {
                    0 => (x + x0) / width % 2 == 0,
                    1 => (int)Math.Sqrt(((x - x0) * (x - x0)) + ((y - y0) * (y - y0))) / width % 2 == 0,
                    _ => (((x + x0) / width) + ((y + y0) / width)) % 2 == 0,
                };
                for (var channel = 0; channel < 3; channel++)
                {
                    var value = (colours[channel] / 2) + (isOn ? 80 : 0) + random.Next(8) + brighter;
                    pixels[(((y * Side) + x) * 3) + channel] = (byte)value;
                }
            }
        }

        return PngEncoder.Encode(pixels, Side, Side);
    }

    private Task<Catalog.Evaluation> FindAsync(Run run) =>
        _services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id));

    private async Task<(DatasetAudit Audit, DatasetAuditRecord Record)> ReadAuditAsync(Catalog.Evaluation evaluation)
    {
        var record = await _services.QueryAsync(context =>
            context.DatasetAudits.AsNoTracking().SingleAsync(row => row.Key == evaluation.AuditKey)
        );
        return (await _services.Services.GetRequiredService<DatasetArtifacts>().ReadJsonAsync<DatasetAudit>(record.File, default), record);
    }

    private Task<IReadOnlyList<TestPrediction>> ReadPredictionsAsync(Catalog.Evaluation evaluation) =>
        _services
            .Services.GetRequiredService<DatasetArtifacts>()
            .ReadJsonAsync<IReadOnlyList<TestPrediction>>(evaluation.Predictions, default);
}
