using Distributed.Contracts;
using Distributed.Networks;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests.Engines;

/// <summary>What a GPU computes, against the processor. They need a GPU, and LibTorch's libraries for it where the loader finds them.</summary>
public sealed class GpuTests
{
    private const int Size = 48,
        Classes = 4;
    private const string NoGpu = "LibTorch sees no GPU: this machine has none, or the build is not with -p:TorchBackend=cuda.";

    [Theory]
    [InlineData("densenet121", 96, Precision.Fp32, 2e-5)]
    [InlineData("densenet121", 96, Precision.Fp16, 2e-3)]
    [InlineData("densenet121", 96, Precision.Bf16, 1e-2)]
    [InlineData("densenet121", 224, Precision.Fp32, 2e-5)]
    [InlineData("densenet161", 61, Precision.Fp32, 2e-5)]
    [InlineData("densenet169", 64, Precision.Fp32, 2e-5)]
    [InlineData("densenet201", 50, Precision.Fp32, 2e-5)]
    [InlineData("resnet18", 96, Precision.Fp32, 2e-5)]
    [InlineData("resnet50", 61, Precision.Fp32, 2e-5)]
    [InlineData("resnet50", 96, Precision.Fp16, 2e-3)]
    [InlineData("resnet50", 96, Precision.Bf16, 1e-2)]
    [InlineData("resnet101", 224, Precision.Fp32, 2e-5)]
    public void Features_of_a_GPU_are_those_of_the_processor(string name, int size, Precision precision, double tolerance)
    {
        var gpu = Gpu();
        using var folder = new TemporaryFolder();
        GoldenData.WriteFilled(folder["weights.safetensors"], NetworkArchitecture.ByName(name));
        using var backbone = BackboneSource.Load(name == "densenet121" ? BackboneSource.Demo : folder["weights.safetensors"]);
        var images = GoldenData.Images(5, size);
        using var tensor = torch.tensor(images, [5, size, size, 3]);
        using var expected = backbone.Features(tensor);
        using var extractor = new FeatureExtractor(backbone, precision, gpu, batchSize: 2);

        Assert.InRange(
            GoldenData.LargestError(expected.data<float>().ToArray(), extractor.Extract(images, 5, size).Values, 5),
            0,
            tolerance
        );
    }

    [Theory]
    [InlineData(1, Precision.Fp32, 2e-5)]
    [InlineData(3, Precision.Fp32, 2e-5)]
    [InlineData(2, Precision.Fp16, 2e-3)]
    public void Views_of_joined_bases_on_a_GPU_are_those_of_the_processor(int blocks, Precision precision, double tolerance)
    {
        var gpu = Gpu();
        var views = new FeatureViews(Flip: true, ImageCrops.Five);
        using var backbone = ViewedBackbone.Of(
            JoinedBackbone.Create(
                [BackboneSource.Load(BackboneSource.Demo), BackboneSource.Load("random:1", ResNet.ResNet18)],
                blocks,
                new string('0', 64)
            ),
            views,
            Size
        );
        var side = views.SquareOf(Size);
        var images = GoldenData.Images(5, side);
        using var onProcessor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        using var onGpu = new FeatureExtractor(backbone, precision, gpu, batchSize: 2);

        Assert.InRange(
            GoldenData.LargestError(onProcessor.Extract(images, 5, side).Values, onGpu.Extract(images, 5, side).Values, 5),
            0,
            tolerance
        );
    }

    [Fact]
    public void An_imported_ONNX_network_on_a_GPU_gives_the_features_of_the_processor()
    {
        var gpu = Gpu();
        var known = PretrainedBases.Find("mlnet-resnet18")!;
        using var backbone = BackboneSource.Load(BackboneSource.ShippedPath(known)!, onnx: OnnxSettings.Of(known.Preprocessing!));
        var images = GoldenData.Images(3, 224);
        using var onProcessor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        using var onGpu = new FeatureExtractor(backbone, Precision.Fp32, gpu, batchSize: 2);

        Assert.InRange(
            GoldenData.LargestError(onProcessor.Extract(images, 3, 224).Values, onGpu.Extract(images, 3, 224).Values, 3),
            0,
            2e-5
        );
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Fp16)]
    [InlineData(Precision.Bf16)]
    public void A_GPU_gives_the_same_bits_again(Precision precision)
    {
        var gpu = Gpu();
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var images = GoldenData.Images(70, 96);
        using var first = new FeatureExtractor(backbone, precision, gpu);
        using var second = new FeatureExtractor(backbone, precision, gpu);
        var expected = first.Extract(images, 70, 96).Values;

        Assert.Equal(expected, first.Extract(images, 70, 96).Values);
        Assert.Equal(expected, second.Extract(images, 70, 96).Values);
    }

    [Fact]
    public void A_batch_that_does_not_fit_into_a_GPUs_memory_is_halved_until_it_does()
    {
        const int Count = 2048;
        var gpu = Gpu();
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var images = GoldenData.Images(Count, 96);
        using var plenty = new FeatureExtractor(backbone, Precision.Fp32, gpu, batchSize: 64);
        var expected = plenty.Extract(images, Count, 96).Values;
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, gpu, batchSize: Count);

        float[] found;
        var taken = Fill(gpu, leave: 400L << 20);
        try
        {
            found = extractor.Extract(images, Count, 96).Values;
        }
        finally
        {
            taken.ForEach(tensor => tensor.Dispose());
            ReleaseCache(gpu);
        }

        Assert.InRange(extractor.BatchSize, 1, Count / 2);
        Assert.InRange(GoldenData.LargestError(expected, found, Count), 0, 2e-5);
    }

    [Fact]
    public void Autotuning_on_a_GPU_measures_every_precision()
    {
        var gpu = Gpu();
        using var backbone = BackboneSource.Load(BackboneSource.Demo);

        var choice = Autotuner.Choose(backbone, 96, gpu);

        Assert.Equal([Precision.Fp32, Precision.Bf16, Precision.Fp16], choice.ImagesPerSecond.Keys);
        Assert.All(choice.ImagesPerSecond.Values, speed => Assert.InRange(speed, 1, double.MaxValue));
        TestContext.Current.TestOutputHelper?.WriteLine(choice.ToString() + " " + string.Join(", ", choice.ImagesPerSecond));
    }

    [Fact]
    public void A_linear_head_from_a_GPU_is_that_of_the_processor()
    {
        var gpu = Gpu();
        var options = new RegularisationPathOptions(RegularisationPathOptions.DefaultPenalties(Classes));

        var expected = Train(HeadDefinition.Linear, options, torch.CPU);
        var found = Train(HeadDefinition.Linear, options, gpu);

        Assert.Equal(expected.BestEpoch, found.BestEpoch);
        Assert.Equal(expected.ExportBest(), found.ExportBest());
    }

    [Fact]
    public void Adam_on_a_GPU_gives_the_same_bits_again_and_learns_as_on_the_processor()
    {
        var gpu = Gpu();
        var mlp = new HeadDefinition(HeadKind.Mlp, [32], 0.3);
        var options = new AdamOptions(30, 32, 0.003, 0.0001, 0, 30);

        var first = Train(mlp, options, gpu);

        Assert.Equal(first.ToBytes(), Train(mlp, options, gpu).ToBytes());
        Assert.InRange(Accuracy(first), 0.95, 1);
        Assert.InRange(Accuracy(Train(mlp, options, torch.CPU)), 0.95, 1);
    }

    // Afterwards nothing in this process can use the GPU, so nobody runs it beside others: --explicit only.
    [Fact(Explicit = true)]
    public void A_GPU_that_has_failed_is_told_from_bad_data()
    {
        var gpu = Gpu();
        using var scores = torch.zeros(2, 4, device: gpu);
        using var labels = torch.tensor(new[] { 1L, 1L << 40 }, device: gpu);

        var error = Assert.ThrowsAny<Exception>(() =>
        {
            using var picked = scores.gather(1, labels.unsqueeze(1));
            using var copy = picked.cpu();
        });

        Assert.True(DeviceErrors.IsFailure(error), error.ToString());
        Assert.True(DeviceErrors.IsFailure(Assert.ThrowsAny<Exception>(() => torch.zeros(4, device: gpu).cpu())));
    }

    private static torch.Device Gpu()
    {
        Assert.SkipUnless(torch.cuda.is_available(), NoGpu);
        return TorchEnvironment.ChooseDevice("cuda");
    }

    /// <summary>Takes a GPU's memory but for some bytes.</summary>
    private static List<torch.Tensor> Fill(torch.Device gpu, long leave)
    {
        var taken = new List<torch.Tensor>();
        for (var bytes = 16L << 30; bytes >= 64L << 20; bytes /= 2)
        {
            try
            {
                while (true)
                {
                    taken.Add(torch.empty(bytes, dtype: torch.ScalarType.Byte, device: gpu));
                }
            }
            catch (Exception error) when (DeviceErrors.IsOutOfMemory(error))
            {
                // As much as there is; smaller pieces follow.
            }
        }

        for (long freed = 0; freed < leave && taken.Count > 0; taken.RemoveAt(taken.Count - 1))
        {
            freed += taken[^1].numel();
            taken[^1].Dispose();
        }

        return taken;
    }

    /// <summary>
    /// Gives back to the GPU what LibTorch keeps of memory that was freed, which it does when it finds no room for something: its libraries ask the GPU itself.
    /// </summary>
    private static void ReleaseCache(torch.Device gpu) =>
        Assert.True(
            DeviceErrors.IsOutOfMemory(Assert.ThrowsAny<Exception>(() => torch.empty(1L << 45, dtype: torch.ScalarType.Byte, device: gpu)))
        );

    private static IHeadTrainingState Train(HeadDefinition definition, HeadTrainingOptions options, torch.Device device)
    {
        using var data = Data(device);
        return HeadTraining.Start(definition, options, data, Classes).Train(data, () => false, TestContext.Current.CancellationToken).State;
    }

    private static double Accuracy(IHeadTrainingState state)
    {
        var (values, labels) = Points();
        var logits = TrainedHead.Load(state.ExportBest()).Logits(new FeatureMatrix(values, labels.Length, Size)).Chunk(Classes).ToList();
        return labels.Index().Count(label => Array.IndexOf(logits[label.Index], logits[label.Index].Max()) == label.Item)
            / (double)labels.Length;
    }

    private static FeatureData Data(torch.Device device)
    {
        var (values, labels) = Points();
        int[] rows = [.. Enumerable.Range(0, labels.Length)];
        return FeatureData.Create(
            new FeatureMatrix(values, labels.Length, Size),
            labels,
            [.. rows.Where(row => row % 5 != 0)],
            [.. rows.Where(row => row % 5 == 0)],
            device
        );
    }

    /// <summary>400 points of four classes that a line tells apart, with noise.</summary>
    private static (float[] Values, int[] Labels) Points()
    {
        var random = new Random(3);
        int[] labels = [.. Enumerable.Range(0, 400).Select(row => row * 7 % Classes)];
        return (
            [
                .. labels.SelectMany(label =>
                    Enumerable.Range(0, Size).Select(i => (float)((i % Classes == label ? 1 : 0) + (0.4 * random.NextDouble())))
                ),
            ],
            labels
        );
    }
}
