using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>A DenseNet as a backbone, computed layer by layer as it is written: what extraction is measured against.</summary>
internal sealed class DenseNetBackbone : IDenseNetBackbone
{
    // Most of those who load weights only look at them, or convert them to what computes faster.
    private readonly Lazy<Parts> _parts;

    public DenseNetBackbone(DenseNetArchitecture architecture, BackboneWeights weights, Precision precision, Device device)
    {
        Architecture = architecture;
        Weights = weights;
        Precision = precision;
        Device = device;
        weights.ThrowIfNotOf(architecture);
        _parts = new Lazy<Parts>(Build);
    }

    public DenseNetArchitecture Architecture { get; }

    public BackboneWeights Weights { get; }

    public Precision Precision { get; }

    public Device Device { get; }

    /// <inheritdoc/>
    public bool TakesAnyBatch => false;

    public static void Check(Tensor images, IBackbone backbone)
    {
        ArgumentNullException.ThrowIfNull(images);
        var shape = images.shape;
        if (images.dtype != ScalarType.Byte || shape is not [_, _, _, 3] || Math.Min(shape[1], shape[2]) < backbone.SmallestInput)
        {
            throw new ArgumentException(
                $"{backbone.Name} takes uint8 images [n, height, width, 3] of at least {backbone.SmallestInput} px, not {images.dtype} [{string.Join(", ", shape)}].",
                nameof(images)
            );
        }
    }

    public Tensor Features(Tensor images)
    {
        Check(images, this);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var (network, mean, std) = _parts.Value;
        var pixels = images.to(Device).to(ScalarType.Float32).div_(255).sub_(mean).div_(std);
        if (Precision == Precision.Bf16)
        {
            pixels = pixels.to(ScalarType.BFloat16);
        }

        // The view keeps the channels last in memory, for which LibTorch has the faster kernels.
        var features = network.forward(pixels.permute(0, 3, 1, 2));
        return features.to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>The network alone: normalised images, float32 [n, 3, height, width] however they lie in memory, to features.</summary>
    internal Tensor Network(Tensor images)
    {
        using var withoutGradients = no_grad();
        return _parts.Value.Network.forward(images);
    }

    public void Dispose()
    {
        if (_parts.IsValueCreated)
        {
            var (network, mean, std) = _parts.Value;
            network.Dispose();
            mean.Dispose();
            std.Dispose();
        }
    }

    private Parts Build()
    {
        var network = new DenseNet(Architecture);
        Weights.CopyTo(network);
        if (Precision == Precision.Bf16)
        {
            // Normalisation stays in float32, on bfloat16 activations: that halves the error and costs no time.
            foreach (var convolution in network.modules().OfType<Conv2d>())
            {
                convolution.to(ScalarType.BFloat16);
            }
        }

        network.to(Device);
        return new Parts(network, PerChannel(Weights.Preprocessing.Mean), PerChannel(Weights.Preprocessing.Std));
    }

    private Tensor PerChannel(float[] values)
    {
        using var plain = TensorData.FromValues(values, 3).ToTensor();
        return plain.to(Device, copy: true).DetachFromDisposeScope();
    }

    private sealed record Parts(DenseNet Network, Tensor Mean, Tensor Std);
}
