using Distributed.Networks;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Export;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;

namespace Distributed.Vision.Tests.Engines;

/// <summary>The ways to compute the same features, against each other.</summary>
public sealed class EngineTests
{
    public static TheoryData<string, int, int> Cases =>
        new()
        {
            { "densenet121", 32, 1 },
            { "densenet121", 33, 3 },
            { "densenet121", 47, 2 },
            { "densenet121", 96, 5 },
            { "densenet121", 127, 1 },
            { "densenet121", 224, 1 },
            { "densenet169", 64, 2 },
            { "densenet201", 50, 1 },
            { "densenet161", 96, 2 },
            { "densenet161", 61, 1 },
            { "resnet18", 32, 1 },
            { "resnet18", 33, 3 },
            { "resnet18", 96, 5 },
            { "resnet18", 224, 1 },
            { "resnet34", 47, 2 },
            { "resnet50", 33, 9 },
            { "resnet50", 127, 2 },
            { "resnet50", 224, 1 },
            { "resnet101", 61, 1 },
        };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Extraction_equals_the_plain_network(string name, int size, int count)
    {
        using var folder = new TemporaryFolder();
        var architecture = NetworkArchitecture.ByName(name);
        GoldenData.WriteFilled(folder["weights.safetensors"], architecture);
        using var backbone = BackboneSource.Load(folder["weights.safetensors"]);
        var images = GoldenData.Images(count, size);
        var expected = Plain(backbone, images, count, size);

        Assert.InRange(GoldenData.LargestError(expected, Extract(backbone, Precision.Fp32, images, count, size), count), 0, 1e-5);
    }

    [Theory]
    [InlineData("densenet121", 5e-3)]
    [InlineData("densenet169", 5e-3)]
    [InlineData("densenet201", 5e-3)]
    [InlineData("densenet161", 5e-3)]
    [InlineData("resnet18", 5e-3)]
    // What blocks add to is rounded behind each of them.
    [InlineData("resnet34", 1e-2)]
    [InlineData("resnet50", 1e-2)]
    [InlineData("resnet101", 1.5e-2)]
    public void Extraction_in_bfloat16_is_near_the_plain_network(string name, double tolerance)
    {
        using var backbone = BackboneSource.Load("random:5", NetworkArchitecture.ByName(name));
        // At 32 px the last map is a single pixel: no errors of rounding even out.
        foreach (var (size, count, nearness) in new[] { (32, 1, 1e-2), (47, 2, 1e-2), (96, 2, tolerance) })
        {
            var images = GoldenData.Images(count, size);
            var expected = Plain(backbone, images, count, size);
            Assert.InRange(
                GoldenData.LargestError(expected, Extract(backbone, Precision.Bf16, images, count, size), count),
                0,
                Math.Max(nearness, tolerance)
            );
        }
    }

    [Theory]
    [InlineData("demo", 96)]
    [InlineData("demo", 116)]
    [InlineData("random:3", 96)]
    public void Extraction_equals_the_plain_network_with_weights_that(string source, int size)
    {
        using var backbone = BackboneSource.Load(source);
        var images = GoldenData.Images(4, size);
        var expected = Plain(backbone, images, 4, size);

        Assert.InRange(GoldenData.LargestError(expected, Extract(backbone, Precision.Fp32, images, 4, size), 4), 0, 1e-5);
        Assert.InRange(GoldenData.LargestError(expected, Extract(backbone, Precision.Bf16, images, 4, size), 4), 0, 5e-3);
    }

    [Theory]
    [InlineData("densenet121")]
    [InlineData("densenet161")]
    [InlineData("resnet18")]
    [InlineData("resnet50")]
    public void Kernels_of_AVX2_give_the_plain_networks_features_on_newer_processors_too(string name)
    {
        Assert.SkipUnless(InstructionSet.Avx2.Supports(Precision.Fp32), "This processor has no AVX2 kernels.");
        using var backbone = (Backbone)BackboneSource.Load("random:2", NetworkArchitecture.ByName(name));
        var graph = backbone.Architecture.Graph.Folded();
        using var compiled = CompiledBackbone.Create(graph, backbone.Weights, Precision.Fp32, InstructionSet.Avx2)!;
        using var images = torch.tensor(GoldenData.Images(2, 70), [2, 70, 70, 3]);
        using var features = compiled.Features(images);

        Assert.InRange(
            GoldenData.LargestError(Plain(backbone, GoldenData.Images(2, 70), 2, 70), features.data<float>().ToArray(), 2),
            0,
            1e-5
        );
    }

    [Theory]
    [InlineData("densenet121", 33)]
    [InlineData("densenet121", 96)]
    [InlineData("densenet169", 64)]
    [InlineData("densenet201", 50)]
    [InlineData("densenet161", 61)]
    [InlineData("resnet18", 33)]
    [InlineData("resnet50", 96)]
    public void LibTorchs_operators_give_the_plain_networks_features(string name, int size)
    {
        using var folder = new TemporaryFolder();
        GoldenData.WriteFilled(folder["weights.safetensors"], NetworkArchitecture.ByName(name));
        using var backbone = (Backbone)BackboneSource.Load(folder["weights.safetensors"]);

        Assert.InRange(FoldedError(backbone, Precision.Fp32, 2, size), 0, 1e-5);
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("random:3")]
    public void LibTorchs_operators_in_half_precisions_are_near_the_plain_network(string source)
    {
        using var backbone = (Backbone)BackboneSource.Load(source);

        Assert.InRange(FoldedError(backbone, Precision.Fp32, 4, 96), 0, 1e-5);
        Assert.InRange(FoldedError(backbone, Precision.Bf16, 4, 96), 0, 5e-3);
        Assert.InRange(FoldedError(backbone, Precision.Fp16, 4, 96), 0, 1e-3);
    }

    [Theory]
    [InlineData(Precision.Fp32, 1e-5)]
    [InlineData(Precision.Bf16, 1e-2)]
    public void Images_of_any_shape_give_the_plain_networks_features(Precision precision, double tolerance)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var converted = backbone.ConvertTo(precision, torch.CPU);
        foreach (var (height, width) in new[] { (40, 100), (131, 32), (40, 100) })
        {
            using var images = torch.randint(0, 256, [2, height, width, 3], dtype: torch.ScalarType.Byte);
            using var expected = backbone.Features(images);
            using var found = converted.Features(images);
            Assert.InRange(GoldenData.LargestError(expected.data<float>().ToArray(), found.data<float>().ToArray(), 2), 0, tolerance);
        }
    }

    [Theory]
    [InlineData("densenet121", Precision.Fp32)]
    [InlineData("densenet121", Precision.Bf16)]
    [InlineData("resnet18", Precision.Fp32)]
    [InlineData("resnet18", Precision.Bf16)]
    [InlineData("resnet50", Precision.Fp32)]
    [InlineData("resnet50", Precision.Bf16)]
    public void Batch_and_threads_do_not_change_a_bit(string name, Precision precision)
    {
        using var backbone = BackboneSource.Load("random:1", NetworkArchitecture.ByName(name));
        using var converted = backbone.ConvertTo(precision, torch.CPU);
        Assert.SkipUnless(converted is CompiledBackbone, "This processor has no compiled kernels.");
        var images = GoldenData.Images(21, 64);
        var expected = Extract(backbone, precision, images, 21, 64);

        foreach (var threads in new[] { 1, 2, 5 })
        {
            using var scope = TorchEnvironment.WithThreads(threads);
            using var extractor = new FeatureExtractor(backbone, precision, torch.CPU, batchSize: (2 * threads) + 1);
            Assert.Equal(expected, extractor.Extract(images, 21, 64).Values);
        }
    }

    [Theory]
    [InlineData("densenet121")]
    [InlineData("densenet161")]
    [InlineData("resnet18")]
    [InlineData("resnet50")]
    public async Task An_exported_model_gives_the_same_features_in_onnx_runtime(string name)
    {
        const int Count = 2,
            Size = 64;
        using var folder = new TemporaryFolder();
        GoldenData.WriteFilled(folder["weights.safetensors"], NetworkArchitecture.ByName(name));
        using var backbone = BackboneSource.Load(folder["weights.safetensors"]);
        await using (var file = File.Create(folder["model.onnx"]))
        {
            await OnnxExport.WriteAsync(backbone, file, TestContext.Current.CancellationToken);
        }

        var images = GoldenData.Images(Count, Size);
        var input = new DenseTensor<float>([Count, 3, Size, Size]);
        for (var i = 0; i < images.Length; i++)
        {
            var (image, pixel, channel) = (i / (Size * Size * 3), i / 3 % (Size * Size), i % 3);
            input.Buffer.Span[(((image * 3) + channel) * Size * Size) + pixel] =
                ((images[i] / 255f) - backbone.Preprocessing.Mean[channel]) / backbone.Preprocessing.Std[channel];
        }

        using var session = new InferenceSession(folder["model.onnx"]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(OnnxExport.InputName, input)]);

        Assert.Equal([Count, backbone.FeatureSize], results[0].AsTensor<float>().Dimensions.ToArray());
        Assert.InRange(GoldenData.LargestError(Plain(backbone, images, Count, Size), [.. results[0].AsTensor<float>()], Count), 0, 1e-5);
        Assert.Equal(backbone.Sha256, session.ModelMetadata.CustomMetadataMap["sha256"]);
    }

    private static float[] Plain(IBackbone backbone, byte[] images, int count, int size)
    {
        // What is loaded computes layer by layer; only what is converted is compiled.
        using var tensor = torch.tensor(images, [count, size, size, 3]);
        using var features = backbone.Features(tensor);
        return features.data<float>().ToArray();
    }

    private static float[] Extract(IBackbone backbone, Precision precision, byte[] images, int count, int size)
    {
        using var extractor = new FeatureExtractor(backbone, precision, torch.CPU);
        return extractor.Extract(images, count, size).Values;
    }

    private static double FoldedError(Backbone backbone, Precision precision, int count, int size)
    {
        using var folded = new OperatorBackbone(backbone.Architecture.Graph.Folded(), backbone.Weights, precision, torch.CPU);
        var images = GoldenData.Images(count, size);
        using var tensor = torch.tensor(images, [count, size, size, 3]);
        using var features = folded.Features(tensor);
        return GoldenData.LargestError(Plain(backbone, images, count, size), features.data<float>().ToArray(), count);
    }
}
