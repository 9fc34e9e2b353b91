using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Export;
using Distributed.Vision.Weights;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;

namespace Distributed.Vision.Tests.Engines;

/// <summary>Networks that are no DenseNet, from their graph alone.</summary>
public sealed class NetworkGraphTests
{
    private const int Size = 45,
        Count = 3;

    public static TheoryData<string> Networks => ["residual", "joined twice", "dense blocks of two sizes", "pooled in the middle"];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Operators_give_the_features_of_the_modules(string name)
    {
        using var plain = new PlainBackbone(BackboneWeights.Random(Toy(name), 3));
        using var images = torch.tensor(GoldenData.Images(Count, Size), [Count, Size, Size, 3]);
        using var expected = plain.Features(images);

        foreach (var (precision, tolerance) in new[] { (Precision.Fp32, 1e-5), (Precision.Bf16, 2e-2) })
        {
            using var converted = plain.ConvertTo(precision, torch.CPU);
            using var found = converted.Features(images);

            Assert.IsType<OperatorBackbone>(converted);
            Assert.InRange(GoldenData.LargestError(expected.data<float>().ToArray(), found.data<float>().ToArray(), Count), 0, tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public async Task An_exported_model_gives_the_features_of_the_modules(string name)
    {
        using var plain = new PlainBackbone(BackboneWeights.Random(Toy(name), 4));
        using var model = new MemoryStream();
        await OnnxExport.WriteAsync(plain, model, TestContext.Current.CancellationToken);
        using var images = torch.rand(Count, 3, Size, Size);
        using var expected = plain.Network(images);

        using var session = new InferenceSession(model.ToArray());
        var input = new DenseTensor<float>(images.data<float>().ToArray(), [Count, 3, Size, Size]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(OnnxExport.InputName, input)]);

        float[] found = [.. results[0].AsTensor<float>()];
        Assert.InRange(GoldenData.LargestError(expected.data<float>().ToArray(), found, Count), 0, 1e-5);
    }

    [Fact]
    public void Modules_can_be_trained()
    {
        using var network = new NetworkModule(Toy("residual"));
        using var images = torch.rand(8, 3, 32, 32);
        network.train();
        var names = network.named_parameters().Select(parameter => parameter.name).ToList();
        foreach (var parameter in network.parameters())
        {
            parameter.requires_grad_(true);
        }

        using var sum = network.forward(images).square().sum();
        sum.backward();

        Assert.Contains("layer1.0.conv2.weight", names);
        Assert.All(
            network.parameters(),
            parameter => Assert.True(parameter.grad is { } gradient && gradient.abs().sum().item<float>() > 0)
        );
    }

    [Fact]
    public void Weights_of_a_graph_are_named_and_shaped_by_its_layers() =>
        Assert.Equal(
            [
                "conv1.weight [16, 3, 7, 7]",
                "bn1.weight [16]",
                "bn1.bias [16]",
                "bn1.running_mean [16]",
                "bn1.running_var [16]",
                "layer1.0.conv1.weight [16, 16, 3, 3]",
            ],
            Toy("residual").Graph.TensorShapes.Take(6).Select(pair => $"{pair.Key} [{string.Join(", ", pair.Value)}]")
        );

    [Fact]
    public void Folding_leaves_a_DenseNet_no_normalisation_and_averages_before_it_convolves()
    {
        var folded = DenseNet.DenseNet121.Graph.Folded();

        Assert.DoesNotContain(folded.Layers, layer => layer.Operation is Normalization);
        // Every narrow convolution and the stem have taken up the normalisation behind them.
        Assert.Equal(59, folded.Layers.Count(layer => layer.Operation is Convolution { Norm: not null }));
        Assert.Equal(62, folded.Layers.Count(layer => layer.Operation is Scaling));
        Assert.All(
            folded.Layers.Where(layer => layer.Operation is AveragePooling),
            average => Assert.IsType<Rectifier>(average.Inputs[0].Operation)
        );
    }

    [Fact]
    public void A_normalisation_behind_a_convolution_that_others_read_too_is_not_folded()
    {
        var convolution = Layer.Start().Then("conv", new Convolution(8, 3));
        var sum = new Layer("sum", new Addition(), convolution, convolution.Then("norm", new Normalization()));

        var folded = new NetworkGraph(sum.Then("mean", new GlobalAverage())).Folded();

        Assert.Contains(folded.Layers, layer => layer is { Name: "conv", Operation: Convolution { Norm: null } });
        Assert.Contains(folded.Layers, layer => layer is { Name: "norm", Operation: Scaling });
    }

    [Fact]
    public void The_layers_of_a_dense_block_share_its_buffer()
    {
        var graph = DenseNet.DenseNet121.Graph.Folded();
        var places = graph.Places();

        Assert.Equal(4, places.Values.Select(place => place.Block).Distinct().Count());
        var second = places.Single(pair => pair.Key.Name == "denseblock1.denselayer2.conv2").Value;
        Assert.Equal(("denseblock1.denselayer6.concat", 64 + 32), (second.Block.Name, second.Channel));
    }

    [Theory]
    [InlineData("densenet121", 4, 58)]
    [InlineData("densenet169", 4, 82)]
    [InlineData("densenet201", 4, 98)]
    [InlineData("densenet161", 4, 78)]
    public void Kernels_know_every_DenseNet(string name, int blocks, int layers)
    {
        foreach (var instructions in new[] { InstructionSet.Avx512, InstructionSet.Avx2 })
        {
            var plan = KernelPlan.For(NetworkArchitecture.ByName(name).Graph.Folded(), instructions);

            Assert.NotNull(plan);
            Assert.Equal((blocks, blocks - 1), (plan.Blocks.Length, plan.Transitions.Length));
            Assert.Equal(layers, plan.Blocks.Sum(block => block.Length));
        }
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Kernels_do_not_take_what_they_do_not_know(string name) =>
        Assert.Null(KernelPlan.For(Toy(name).Graph.Folded(), InstructionSet.Avx512));

    [Fact]
    public void Maps_of_different_numbers_of_channels_cannot_be_added()
    {
        var images = Layer.Start();
        Assert.Contains(
            "'sum' adds maps",
            Assert
                .Throws<ArgumentException>(() => new Layer("sum", new Addition(), images, images.Then("conv", new Convolution(8, 1))))
                .Message,
            StringComparison.Ordinal
        );
    }

    private static NetworkArchitecture Toy(string name) =>
        new(
            name,
            name,
            Preprocessing.Imagenet,
            32,
            name switch
            {
                "residual" => Residual,
                "joined twice" => JoinedTwice,
                "dense blocks of two sizes" => () => DenseBlocks(32, 64),
                _ => PooledInTheMiddle,
            }
        );

    /// <summary>The beginning of a ResNet: a stem, a block whose input is added as it is, one with a projection, and a dense layer.</summary>
    private static Layer Residual()
    {
        var map = Layer
            .Start()
            .Then("conv1", new Convolution(16, 7, 2))
            .ThenNormalizeAndRectify("bn1")
            .Then("maxpool", new MaxPooling(3, 2));
        map = Block("layer1.0", map, 16, 1, map);
        var projected = map.Then("layer2.0.downsample.0", new Convolution(32, 1, 2)).Then("layer2.0.downsample.1", new Normalization());
        return Block("layer2.0", map, 32, 2, projected).Then("avgpool", new GlobalAverage()).Then("fc", new Dense(10));

        static Layer Block(string name, Layer map, int channels, int stride, Layer added)
        {
            var last = map.Then(name + ".conv1", new Convolution(channels, 3, stride))
                .ThenNormalizeAndRectify(name + ".bn1")
                .Then(name + ".conv2", new Convolution(channels, 3))
                .Then(name + ".bn2", new Normalization());
            return new Layer(name + ".add", new Addition(), last, added).Then(name + ".relu", new Rectifier());
        }
    }

    /// <summary>A map that two blocks join, and one that a block joins with itself.</summary>
    private static Layer JoinedTwice()
    {
        var stem = Layer.Start().Then("conv", new Convolution(8, 3)).ThenNormalizeAndRectify("norm");
        var left = new Layer("left", new Concatenation(), stem.Then("a", new Convolution(4, 1)), stem);
        var right = new Layer("right", new Concatenation(), stem, stem.Then("b", new Convolution(4, 3)), stem);
        var sum = left.Then("c", new Convolution(20, 1));
        return new Layer("sum", new Addition(), sum, right.Then("relu", new Rectifier())).Then("mean", new GlobalAverage());
    }

    private static Layer DenseBlocks(params int[] growthRates)
    {
        var map = Layer.Start().Then("conv", new Convolution(64, 7, 2)).ThenNormalizeAndRectify("norm").Then("pool", new MaxPooling(3, 2));
        foreach (var growthRate in growthRates)
        {
            var name = $"layer{growthRate}";
            var added = map.ThenNormalizeAndRectify(name + ".norm1")
                .Then(name + ".conv1", new Convolution(128, 1))
                .ThenNormalizeAndRectify(name + ".norm2")
                .Then(name + ".conv2", new Convolution(growthRate, 3));
            map = new Layer(name, new Concatenation(), map, added);
        }

        return map.ThenNormalizeAndRectify("last").Then("mean", new GlobalAverage());
    }

    /// <summary>An average behind a 1×1 convolution that carries a normalisation.</summary>
    private static Layer PooledInTheMiddle() =>
        Layer
            .Start()
            .Then("conv", new Convolution(8, 3, 2))
            .ThenNormalizeAndRectify("norm")
            .Then("narrow", new Convolution(4, 1))
            .Then("scale", new Normalization())
            .Then("pool", new AveragePooling(2))
            .Then("wide", new Convolution(8, 3))
            .ThenNormalizeAndRectify("last")
            .Then("mean", new GlobalAverage());
}
