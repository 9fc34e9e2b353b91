using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;
using Distributed.ServiceTests;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

public sealed class BackboneTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() => _services = await StartAsync();

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Theory]
    [InlineData("weights.safetensors")]
    [InlineData("weights.pth")]
    public async Task Weights_from_a_path_are_copied_to_the_volume_and_give_the_features_of_those_weights(string name)
    {
        var demo = await File.ReadAllBytesAsync(BackboneSource.DemoPath);
        var path = _services.WriteFile(
            name,
            name.EndsWith(".pth", StringComparison.Ordinal) ? WeightFiles.AsPth(demo) : WeightFiles.Pad(demo)
        );

        var run = await _services.TrainAsync(Specify(_services) with { InputSize = 32, Backbone = path });

        var row = await _services.QueryAsync(context => context.Backbones.AsNoTracking().SingleAsync());
        Assert.Equal((path, "densenet121"), (row.Source, row.Architecture));
        Assert.Equal(row.Sha256, row.File!.Sha256);
        Assert.EndsWith(Path.GetExtension(name), row.File.Path, StringComparison.Ordinal);
        Assert.Equal(await File.ReadAllBytesAsync(path), await _services.Volume.ReadAllBytesAsync(row.File));

        var shard = Assert.Single(await _services.ShardsAsync()).File;
        var expected = await _services.TrainAsync(Specify(_services) with { InputSize = 32 });
        Assert.All(
            (await _services.ShardsAsync()).Where(other => other.FeatureSetKey == expected.FeatureSetKey),
            other => Assert.Equal(other.File.Sha256, shard.Sha256)
        );
        Assert.NotEqual(expected.FeatureSetKey, run.FeatureSetKey);
    }

    [Fact]
    public async Task A_file_of_weights_that_has_changed_since_the_run_before_is_read_again()
    {
        var path = _services.WriteFile("weights.safetensors", WeightFiles.Pad(await File.ReadAllBytesAsync(BackboneSource.DemoPath)));
        var specification = Specify(_services) with { InputSize = 32, Backbone = path };
        await _services.TrainAsync(specification);
        await File.WriteAllBytesAsync(path, "no weights"u8.ToArray());

        Assert.Contains(path, await _services.FailAsync(specification));
    }

    [Fact]
    public async Task Weights_of_another_architecture_are_refused_with_both_names()
    {
        var reason = await _services.FailAsync(Specify(_services) with { Architecture = "densenet169" });

        Assert.Contains("are of densenet121", reason);
        Assert.Contains("densenet169", reason);
        Assert.Empty(await _services.SetsAsync());
    }

    [Fact]
    public async Task The_architecture_is_that_of_the_file_where_the_specification_names_none_and_both_are_named_where_it_names_another()
    {
        var path = WriteWeights("weights.pth", DenseNet.DenseNet169, 0x3CA4);
        var specification = Specify(_services) with { Backbone = path, InputSize = 32 };

        var run = await _services.TrainAsync(specification);

        Assert.Equal(1664, (await _services.SetsAsync()).Single(set => set.Key == run.FeatureSetKey).FeatureSize);
        var reason = await _services.FailAsync(specification with { Architecture = "densenet121" });
        Assert.Contains("are of densenet169, and the specification's architecture is densenet121", reason);
        Assert.Contains("Leave the architecture out", reason);
    }

    [Fact]
    public async Task Weights_whose_features_are_no_finite_numbers_or_always_the_same_fail_the_run_and_nothing_is_stored()
    {
        // 1e30 in every convolution: finite, and what they make of an image is not. 0 in every one: nothing of the image is left.
        var large = WriteWeights("large.safetensors", DenseNet.DenseNet121, 0x7149);
        var empty = WriteWeights("empty.safetensors", DenseNet.DenseNet121, 0);

        Assert.Contains("are no finite numbers", await _services.FailAsync(Specify(_services) with { Backbone = large, InputSize = 32 }));
        Assert.Contains(
            "let nothing of an image through",
            await _services.FailAsync(Specify(_services) with { Backbone = empty, InputSize = 32 })
        );

        Assert.Empty(await _services.ShardsAsync());
        var folder = _services.Volume.FullPath("features");
        Assert.Empty(Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories) : []);
    }

    [Fact]
    public async Task Weights_that_are_not_finite_fail_the_run_with_tensor_and_number()
    {
        var path = WriteWeights("weights.safetensors", DenseNet.DenseNet121, 0x7FC0);

        Assert.Contains(
            "conv0.weight (9408 NaN of 9408)",
            await _services.FailAsync(Specify(_services) with { Backbone = path, InputSize = 32 })
        );
    }

    [Fact]
    public async Task Random_weights_may_be_of_any_architecture()
    {
        var run = await _services.TrainAsync(Specify(_services) with { Backbone = "random", InputSize = 32, Architecture = "densenet169" });

        Assert.Equal(1664, (await _services.SetsAsync()).Single(set => set.Key == run.FeatureSetKey).FeatureSize);
    }

    [Fact]
    public async Task A_file_without_weights_is_refused_and_named()
    {
        var path = _services.WriteFile("notes.safetensors", "no weights"u8.ToArray());

        Assert.Contains(path, await _services.FailAsync(Specify(_services) with { Backbone = path }));
    }

    [Fact]
    public async Task Weights_that_do_not_exist_or_are_not_open_to_runs_are_refused_and_named()
    {
        var missing = _services.Data("none.pth");
        var outside = Path.Combine(_services.Root, "weights.pth");
        await File.WriteAllBytesAsync(outside, [1]);

        Assert.Contains($"'{missing}' does not exist", await _services.FailAsync(Specify(_services) with { Backbone = missing }));
        Assert.Contains(
            $"'{outside}' is outside the directories",
            await _services.FailAsync(Specify(_services) with { Backbone = outside })
        );
    }

    [Fact]
    public async Task Imagenet_weights_that_are_not_the_published_ones_are_refused()
    {
        Directory.CreateDirectory(_services.Volume.FullPath("backbones"));
        File.Copy(BackboneSource.DemoPath, _services.Volume.FullPath("backbones/imagenet.safetensors"));

        Assert.Contains("is not the published one", await _services.FailAsync(Specify(_services) with { Backbone = "imagenet" }));
    }

    [Fact]
    public async Task An_onnx_file_becomes_a_base_that_lies_whole_on_the_volume()
    {
        foreach (var name in (string[])["external.onnx", "external.onnx_data"])
        {
            _services.WriteFile(name, await File.ReadAllBytesAsync(WeightFiles.OnnxPath(name)));
        }

        await _services.TrainAsync(Specify(_services) with { InputSize = 32, Backbone = _services.Data("external.onnx") });

        var row = await _services.QueryAsync(context => context.Backbones.AsNoTracking().SingleAsync());
        Assert.StartsWith("onnx-", row.Architecture, StringComparison.Ordinal);
        Assert.Contains("the classifier of 'logits' is removed", row.Origin, StringComparison.Ordinal);
        Assert.EndsWith(".onnx", row.File!.Path, StringComparison.Ordinal);
        Assert.NotEqual(row.Sha256, row.File.Sha256);
        // Without the file beside it: the copy has all tensors inside.
        using var copy = BackboneSource.Load(_services.Volume.FullPath(row.File.Path), onnx: OnnxSettings.Read(row.Settings!));
        Assert.Equal(row.Sha256, copy.Sha256);
        Assert.Equal(24, (await _services.SetsAsync()).Single().FeatureSize);
    }

    [Fact]
    public async Task Another_use_of_the_same_onnx_file_gives_other_features()
    {
        var path = _services.WriteFile("model.onnx", await File.ReadAllBytesAsync(WeightFiles.OnnxPath("tokens.onnx")));
        var specification = Specify(_services) with { InputSize = 32, Backbone = path };

        var one = await _services.TrainAsync(specification);
        var both = await _services.TrainAsync(specification with { BackboneOutput = "class+patches" });
        var other = await _services.TrainAsync(specification with { PixelMean = [0.5, 0.5, 0.5], PixelStd = [0.5, 0.5, 0.5] });

        Assert.Distinct([one.FeatureSetKey, both.FeatureSetKey, other.FeatureSetKey]);
        Assert.Equal([16, 16, 32], (await _services.SetsAsync()).Select(set => set.FeatureSize).Order());
        Assert.Contains("32 px alone", await _services.FailAsync(specification with { InputSize = 64 }));
        Assert.Contains("no tensor 'nothing'", await _services.FailAsync(specification with { BackboneOutput = "nothing" }));
        Assert.Contains(
            "are for ONNX files",
            await _services.FailAsync(specification with { Backbone = "demo", BackboneOutput = "class" })
        );
    }

    [Fact]
    public async Task A_base_without_a_published_hash_stays_the_file_of_its_first_use()
    {
        Directory.CreateDirectory(_services.Volume.FullPath("backbones"));
        var path = _services.Volume.FullPath("backbones/dinov2-small.onnx");
        File.Copy(WeightFiles.OnnxPath("tokens.onnx"), path);
        var specification = Specify(_services) with { InputSize = 32, Backbone = "dinov2-small" };
        await _services.TrainAsync(specification);
        var row = await _services.QueryAsync(context => context.Backbones.AsNoTracking().SingleAsync());
        File.Copy(WeightFiles.OnnxPath("pooled.onnx"), path, overwrite: true);

        var reason = await _services.FailAsync(specification with { Seed = 2 });

        Assert.Contains("was another file at its first use", reason);
        Assert.Contains(row.File!.Sha256, reason);
    }

    [Fact]
    public async Task The_base_of_ml_net_is_delivered_with_the_host()
    {
        await _services.TrainAsync(Specify(_services) with { InputSize = 32, Backbone = "mlnet-resnet18" });

        var row = await _services.QueryAsync(context => context.Backbones.AsNoTracking().SingleAsync());
        Assert.Null(row.File);
        Assert.Equal(512, (await _services.SetsAsync()).Single().FeatureSize);
    }

    private string WriteWeights(string name, NetworkArchitecture architecture, ushort value) =>
        _services.WriteFile(name, WeightFiles.Safetensors(architecture, value));
}
