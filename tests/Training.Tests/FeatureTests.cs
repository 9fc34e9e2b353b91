using System.Runtime.InteropServices;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceTests;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Microsoft.Extensions.DependencyInjection;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

public sealed class FeatureTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() => _services = await StartAsync();

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task Runs_at_the_same_time_share_one_feature_set_and_every_shard_is_extracted_once()
    {
        var specification = Specify(_services);
        var first = await _services.SubmitAsync(specification);
        var second = await _services.SubmitAsync(specification with { Training = specification.Training with { LearningRate = 0.1 } });

        var runs = new[]
        {
            await _services.ReachAsync(first, RunState.Evaluating),
            await _services.ReachAsync(second, RunState.Evaluating),
        };

        var set = Assert.Single(await _services.SetsAsync());
        Assert.All(runs, run => Assert.Equal(set.Key, run.FeatureSetKey));
        Assert.Equal((72, Shards, 1024), (set.ImageCount, set.ShardCount, set.FeatureSize));
        Assert.Equal([64, 8], (await _services.ShardsAsync()).Select(shard => shard.ImageCount));
        Assert.Equal(Shards, await _services.CountStartsAsync(nameof(ExtractFeatures)));
        Assert.False(runs[0].FeatureCacheHit);
        Assert.NotEqual(await _services.HeadAsync(runs[0]), await _services.HeadAsync(runs[1]));
    }

    [Fact]
    public async Task Another_head_learning_rate_seed_or_validation_fraction_computes_no_feature_again()
    {
        var specification = Specify(_services);
        var first = await _services.TrainAsync(specification);
        var shards = (await _services.ShardsAsync()).Select(shard => shard.File).ToList();

        RunSpecification[] others =
        [
            specification with
            {
                Training = specification.Training with { LearningRate = 0.05 },
            },
            specification with
            {
                Head = new HeadSpecification { Kind = HeadKind.Mlp, HiddenSizes = [16] },
            },
            specification with
            {
                Seed = 9,
            },
            specification with
            {
                SplitSeed = 4,
            },
            specification with
            {
                ValidationFraction = 0.3,
            },
        ];
        foreach (var other in others)
        {
            var run = await _services.TrainAsync(other);
            Assert.Equal((true, first.FeatureSetKey), (run.FeatureCacheHit, run.FeatureSetKey));
            Assert.NotEqual(await _services.HeadAsync(first), await _services.HeadAsync(run));
        }

        Assert.Equal(shards, (await _services.ShardsAsync()).Select(shard => shard.File));
        Assert.Equal(shards.Count, await _services.CountStartsAsync(nameof(ExtractFeatures)));
        Assert.False(first.FeatureCacheHit);
    }

    [Fact]
    public async Task What_changes_features_is_another_feature_set()
    {
        var specification = Specify(_services) with { InputSize = 32 };
        var keys = new List<string?>();
        RunSpecification[] runs =
        [
            specification,
            specification with
            {
                Backbone = "random",
            },
            specification with
            {
                InputSize = 40,
            },
            specification with
            {
                Fit = FitMode.Stretch,
            },
            specification with
            {
                Precision = Precision.Bf16,
            },
        ];
        foreach (var run in runs)
        {
            keys.Add((await _services.TrainAsync(run)).FeatureSetKey);
        }

        Assert.Equal(runs.Length, keys.Distinct().Count());
    }

    [Fact]
    public async Task Features_are_one_row_an_image_and_no_two_images_have_the_same()
    {
        var run = await _services.TrainAsync(Specify(_services));

        var shards = FeatureShards.Open([.. (await _services.ShardsAsync()).Select(shard => _services.Volume.FullPath(shard.File.Path))]);
        var features = shards.Select([.. Enumerable.Range(0, shards.Count)]);
        Assert.Equal((72, 1024), (features.Count, features.Size));
        Assert.All(features.Values, value => Assert.True(float.IsFinite(value)));
        Assert.Equal(72, features.Values.Chunk(features.Size).Select(row => string.Join(' ', row)).Distinct().Count());
        Assert.Equal((72, 0), (run.TrainImages + run.ValidationImages + run.TestImages, run.RemovedDuplicates));
    }

    [Fact]
    public async Task A_precision_left_open_is_the_one_of_the_features_that_are_there()
    {
        var specification = Specify(_services) with { InputSize = 32 };
        var fixedPrecision = await _services.TrainAsync(specification);

        var open = await _services.TrainAsync(specification with { Precision = null });

        Assert.Equal((true, fixedPrecision.FeatureSetKey), (open.FeatureCacheHit, open.FeatureSetKey));
        Assert.False(Directory.Exists(_services.Volume.FullPath("autotuning")));
    }

    [Fact]
    public async Task A_precision_left_open_is_measured_once_and_kept()
    {
        var specification = Specify(_services) with { Backbone = "random", InputSize = 32, Precision = null };
        await _services.TrainAsync(specification);
        var chosen = Assert.Single(await _services.SetsAsync()).Precision;
        var measurement = Assert.Single(Directory.GetFiles(_services.Volume.FullPath("autotuning")));
        var content = await File.ReadAllTextAsync(measurement);

        var again = await _services.TrainAsync(specification with { TopK = 2 });
        var otherWeights = await _services.TrainAsync(specification with { Seed = 1 });

        Assert.True(again.FeatureCacheHit);
        Assert.False(otherWeights.FeatureCacheHit);
        Assert.Equal([chosen, chosen], (await _services.SetsAsync()).Select(set => set.Precision));
        Assert.Equal([measurement], Directory.GetFiles(_services.Volume.FullPath("autotuning")));
        Assert.Equal(content, await File.ReadAllTextAsync(measurement));
    }

    [Theory]
    [InlineData("""BatchSize":""", """BatchSize":9""")]
    [InlineData("}", "")]
    public async Task A_measurement_that_is_damaged_is_made_again(string text, string inItsPlace)
    {
        var specification = Specify(_services) with { Backbone = "random", InputSize = 32, Precision = null };
        await _services.TrainAsync(specification);
        var measurement = Assert.Single(Directory.GetFiles(_services.Volume.FullPath("autotuning")));
        var content = await File.ReadAllTextAsync(measurement);
        var changed = content.Replace(text, inItsPlace, StringComparison.Ordinal);
        Assert.NotEqual(content, changed);
        await File.WriteAllTextAsync(measurement, changed);

        await _services.TrainAsync(specification with { Seed = 1 });

        var mended = await File.ReadAllTextAsync(measurement);
        Assert.NotEqual(changed, mended);
        Assert.True(JsonDocument.Parse(mended).RootElement.GetProperty("Choice").GetProperty("Threads").GetInt32() > 0);
    }

    [Fact]
    public void The_failure_of_a_GPU_is_its_workers_and_not_the_runs()
    {
        var errors = _services.Services.GetRequiredService<JobErrors>();

        Assert.True(errors.IsOfWorker(new LibTorchException("CUDA error: unspecified launch failure")));
        Assert.False(errors.IsOfWorker(new LibTorchException("CUDA out of memory. Tried to allocate 2.00 GiB")));
        Assert.False(errors.IsOfWorker(new InvalidOperationException("CUDA error")));
    }

    [Fact]
    public async Task A_fold_that_does_not_exist_fails_the_run_and_is_named() =>
        Assert.Contains("Fold 2 was asked for", await _services.FailAsync(Specify(_services) with { Fold = 2 }));

    private sealed class LibTorchException(string message) : ExternalException(message);
}
