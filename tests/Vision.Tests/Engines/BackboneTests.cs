using System.Security.Cryptography;
using Distributed.Networks;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests.Engines;

public sealed class BackboneTests
{
    private static readonly SafetensorsFile Golden = SafetensorsFile.Open(GoldenData.PathOf("features.safetensors"));

    [Theory]
    [InlineData(96, 2)]
    [InlineData(64, 1)]
    public void Features_of_the_demo_weights_are_torchvisions(int size, int count)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        AssertClose(Golden.ReadData($"demo.{size}"), Extract(backbone, Precision.Fp32, size, count), 1e-5);
    }

    [Theory]
    [InlineData("densenet121", 32)]
    [InlineData("densenet169", 32)]
    [InlineData("densenet201", 32)]
    [InlineData("densenet161", 32)]
    [InlineData("resnet18", 64)]
    [InlineData("resnet34", 64)]
    [InlineData("resnet50", 64)]
    [InlineData("resnet101", 64)]
    public void Features_of_every_architecture_are_torchvisions(string name, int size)
    {
        using var folder = new TemporaryFolder();
        var architecture = NetworkArchitecture.ByName(name);
        GoldenData.WriteFilled(folder["weights.safetensors"], architecture);

        using var backbone = BackboneSource.Load(folder["weights.safetensors"]);

        Assert.Equal(name, backbone.Name);
        Assert.Equal(architecture.FeatureSize, backbone.FeatureSize);
        AssertClose(Golden.ReadData($"{name}.{size}"), Extract(backbone, Precision.Fp32, size, 1), 1e-5);
    }

    [Fact]
    public void Features_in_bfloat16_are_near_those_in_float32()
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        AssertClose(Golden.ReadData("demo.96"), Extract(backbone, Precision.Bf16, 96, 2), 1e-2);
    }

    [Fact]
    public void DenseNet121_has_the_papers_number_of_parameters()
    {
        using var network = new NetworkModule(DenseNet.DenseNet121);
        Assert.Equal(6_953_856, network.parameters().Sum(parameter => parameter.numel()));
    }

    [Fact]
    public void The_same_images_give_the_same_bits_and_batches_begin_with_the_span()
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU, batchSize: 2);
        var images = GoldenData.Images(5, 32);

        var all = extractor.Extract(images, 5, 32).Values;

        Assert.Equal(all, extractor.Extract(images, 5, 32).Values);
        var firstFour = extractor.Extract(images.AsSpan(0, 4 * 32 * 32 * 3), 4, 32).Values;
        Assert.Equal(all[..firstFour.Length], firstFour);
    }

    [Fact]
    public void Extraction_checks_lengths_sizes_and_cancellation()
    {
        using var backbone = BackboneSource.Load(BackboneSource.Random);
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();

        Assert.Throws<ArgumentException>(() => extractor.Extract(new byte[10], 1, 32));
        Assert.Contains(
            "at least 32 px",
            Assert.Throws<ArgumentException>(() => extractor.Extract(new byte[31 * 31 * 3], 1, 31)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<OperationCanceledException>(() => extractor.Extract(new byte[32 * 32 * 3], 1, 32, cancelled.Token));
        Assert.Empty(extractor.Extract([], 0, 32).Values);
    }

    [Fact]
    public void Extraction_leaves_no_tensors_behind()
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var extractor = new FeatureExtractor(backbone, Precision.Bf16, torch.CPU);
        var images = GoldenData.Images(2, 32);
        extractor.Extract(images, 2, 32);
        var before = torch.Tensor.TotalCount;
        extractor.Extract(images, 2, 32);
        Assert.Equal(before, torch.Tensor.TotalCount);
    }

    [Fact]
    public void The_demo_weights_are_those_of_the_record()
    {
        const string sha256 = "ad2543ae012f9357fd0bf9b4c3bb8765f00e85a0f1abcefb23f76a5fec362102";
        using var backbone = BackboneSource.Load(BackboneSource.Demo);

        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(BackboneSource.DemoPath))));
        Assert.Equal(sha256, backbone.Sha256);
        Assert.StartsWith("DenseNet-121, demo weights, trained on CIFAR-10", backbone.Origin, StringComparison.Ordinal);
        Assert.Equal("mean=0.485,0.456,0.406;std=0.229,0.224,0.225", backbone.Preprocessing.Description);
        Assert.Equal(Preprocessing.Imagenet, backbone.Preprocessing);
    }

    [Fact]
    public void Random_weights_are_their_seeds()
    {
        using var zero = BackboneSource.Load("random");
        using var again = BackboneSource.Load("random:0");
        using var other = BackboneSource.Load("random:1");

        Assert.Equal(zero.Sha256, again.Sha256);
        Assert.NotEqual(zero.Sha256, other.Sha256);
        var features = Extract(zero, Precision.Fp32, 32, 1);
        Assert.Equal(features, Extract(again, Precision.Fp32, 32, 1));
        Assert.NotEqual(features, Extract(other, Precision.Fp32, 32, 1));
        Assert.All(features, value => Assert.True(float.IsFinite(value)));
        Assert.Contains(
            "random:7",
            Assert.Throws<WeightsException>(() => BackboneSource.Load("random:x")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Unknown_architectures_and_missing_files_are_named_with_a_remedy()
    {
        Assert.Contains(
            "densenet121, densenet169",
            Assert.Throws<ArgumentException>(() => NetworkArchitecture.ByName("vgg16")).Message,
            StringComparison.Ordinal
        );
        var missing = Assert.Throws<WeightsException>(() => BackboneSource.Load("nowhere.safetensors")).Message;
        Assert.Contains("nowhere.safetensors", missing, StringComparison.Ordinal);
        Assert.Contains("demo", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void Autotuning_measures_every_precision_that_the_device_has_instructions_for()
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, 32, torch.CPU, [4, 2]);

        Assert.Contains(choice.BatchSize, new[] { 2, 4 });
        Precision[] expected = InstructionSet.LacksBfloat16 ? [Precision.Fp32] : [Precision.Fp32, Precision.Bf16];
        Assert.Equal(expected, choice.ImagesPerSecond.Keys);
        Assert.All(choice.ImagesPerSecond.Values, speed => Assert.True(speed > 0));
        Assert.Equal(
            choice.ImagesPerSecond.GetValueOrDefault(Precision.Bf16) > 1.1 * choice.ImagesPerSecond[Precision.Fp32],
            choice.Precision == Precision.Bf16
        );
    }

    [Theory]
    [InlineData(2, new[] { 2 })]
    [InlineData(6, new[] { 3, 6 })]
    public void Autotuning_measures_half_of_the_threads_where_two_may_share_a_core_and_leaves_them_as_they_were(int threads, int[] choices)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var scope = TorchEnvironment.WithThreads(threads);

        Assert.Contains(Autotuner.Choose(backbone, 32, torch.CPU, [4]).Threads, choices);
        Assert.Equal(threads, torch.get_num_threads());
    }

    [Theory]
    [InlineData(32, 128)]
    [InlineData(96, 64)]
    [InlineData(128, 32)]
    [InlineData(224, 16)]
    [InlineData(1024, 16)]
    public void The_usual_batch_is_smaller_for_larger_images_and_larger_on_a_GPU(int size, int batch)
    {
        Assert.Equal(batch, FeatureExtractor.DefaultBatchSizeFor(size, DeviceType.CPU));
        Assert.Equal(8 * batch, FeatureExtractor.DefaultBatchSizeFor(size, DeviceType.CUDA));
    }

    private static float[] Extract(IBackbone backbone, Precision precision, int size, int count)
    {
        using var extractor = new FeatureExtractor(backbone, precision, torch.CPU);
        return extractor.Extract(GoldenData.Images(count, size), count, size).Values;
    }

    private static void AssertClose(TensorData expected, float[] found, double tolerance)
    {
        var values = expected.ToSingles();
        var size = (int)expected.Shape[1];
        Assert.Equal(values.Length, found.Length);
        for (var row = 0; row < values.Length; row += size)
        {
            double difference = 0,
                norm = 0;
            for (var i = row; i < row + size; i++)
            {
                difference += Math.Pow(values[i] - found[i], 2);
                norm += Math.Pow(values[i], 2);
            }

            Assert.InRange(Math.Sqrt(difference / norm), 0, tolerance);
        }
    }
}
