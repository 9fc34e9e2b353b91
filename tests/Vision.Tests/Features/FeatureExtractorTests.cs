using System.Runtime.InteropServices;
using Distributed.Networks;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests.Features;

/// <summary>Batches, and what becomes of them on a device that fails.</summary>
public sealed class FeatureExtractorTests
{
    private const int Size = 32;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void Batches_are_halved_until_they_fit_into_memory_and_no_image_is_left_out(int most)
    {
        var images = GoldenData.Images(21, Size);
        using var backbone = BackboneSource.Load("random:1");
        using var whole = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU, 8);
        using var small = new FeatureExtractor(
            new FailingBackbone(backbone, most, "CUDA out of memory. Tried to allocate 2.00 GiB"),
            Precision.Fp32,
            torch.CPU,
            8
        );
        var expected = whole.Extract(images, 21, Size).Values;

        var found = small.Extract(images, 21, Size).Values;

        Assert.InRange(small.BatchSize, 1, most);
        Assert.Equal(expected.Length, found.Length);
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Fact]
    public void Memory_that_does_not_hold_one_image_is_an_error_that_says_so()
    {
        using var backbone = BackboneSource.Load("random:1");
        using var extractor = new FeatureExtractor(new FailingBackbone(backbone, 0, "CUDA out of memory."), Precision.Fp32, torch.CPU, 8);

        var error = Assert.Throws<InvalidOperationException>(() => extractor.Extract(GoldenData.Images(3, Size), 3, Size));

        Assert.Contains($"a single image of {Size} px", error.Message);
    }

    [Fact]
    public void Another_error_of_the_device_is_no_matter_of_memory()
    {
        using var backbone = BackboneSource.Load("random:1");
        using var extractor = new FeatureExtractor(
            new FailingBackbone(backbone, 0, "CUDA error: an illegal memory access was encountered"),
            Precision.Fp32,
            torch.CPU,
            8
        );

        var error = Assert.Throws<LibTorchException>(() => extractor.Extract(GoldenData.Images(3, Size), 3, Size));

        Assert.True(DeviceErrors.IsFailure(error));
        Assert.Equal(8, extractor.BatchSize);
    }

    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 20.00 MiB", true, false)]
    [InlineData("CUDA error: out of memory", true, false)]
    [InlineData("CUDA error: unspecified launch failure", false, true)]
    [InlineData("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", false, true)]
    [InlineData("The size of tensor a (3) must match the size of tensor b (4)", false, false)]
    public void Errors_of_LibTorch_are_told_apart_by_what_they_say(string message, bool outOfMemory, bool failure)
    {
        var error = new LibTorchException(message);

        Assert.Equal((outOfMemory, failure), (DeviceErrors.IsOutOfMemory(error), DeviceErrors.IsFailure(error)));
        Assert.False(DeviceErrors.IsFailure(new InvalidOperationException(message)));
    }

    [Fact]
    public void LibTorch_reports_its_errors_in_the_type_that_is_told_apart() =>
        Assert.ThrowsAny<ExternalException>(() => torch.zeros(3).add(torch.zeros(4)));

    private sealed class LibTorchException(string message) : ExternalException(message);

    /// <summary>Fails as LibTorch does on a GPU when it is given more images than it can take.</summary>
    private sealed class FailingBackbone(IBackbone inner, int most, string message) : IBackbone
    {
        public string Name => inner.Name;

        public string Sha256 => inner.Sha256;

        public OnnxUse? Onnx => null;

        public string Origin => inner.Origin;

        public int FeatureSize => inner.FeatureSize;

        public int SmallestInput => inner.SmallestInput;

        public int? OnlyInput => inner.OnlyInput;

        public Preprocessing Preprocessing => inner.Preprocessing;

        public Precision Precision => inner.Precision;

        public torch.Device Device => inner.Device;

        public bool TakesAnyBatch => false;

        public IBackbone ConvertTo(Precision precision, torch.Device device) =>
            new FailingBackbone(inner.ConvertTo(precision, device), most, message);

        public torch.Tensor Features(torch.Tensor images) =>
            images.shape[0] > most ? throw new LibTorchException(message) : inner.Features(images);

        public void Dispose() => inner.Dispose();
    }
}
