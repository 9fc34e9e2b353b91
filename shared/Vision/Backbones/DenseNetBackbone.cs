using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>A DenseNet as a backbone, computed layer by layer as it is written: what extraction is measured against.</summary>
internal sealed class DenseNetBackbone : IDenseNetBackbone
{
    private readonly DenseNet _network;
    private readonly Tensor _mean;
    private readonly Tensor _std;

    public DenseNetBackbone(DenseNetArchitecture architecture, BackboneWeights weights, Precision precision, Device device)
    {
        Architecture = architecture;
        Weights = weights;
        Precision = precision;
        Device = device;
        _network = new DenseNet(architecture);
        try
        {
            weights.CopyTo(_network, architecture);
            if (precision == Precision.Bf16)
            {
                // Normalisation stays in float32, on bfloat16 activations: that halves the error and costs no time.
                foreach (var convolution in _network.modules().OfType<Conv2d>())
                {
                    convolution.to(ScalarType.BFloat16);
                }
            }

            _network.to(device);
        }
        catch
        {
            _network.Dispose();
            throw;
        }

        _mean = PerChannel(weights.Preprocessing.Mean);
        _std = PerChannel(weights.Preprocessing.Std);
    }

    public DenseNetArchitecture Architecture { get; }

    public BackboneWeights Weights { get; }

    public Precision Precision { get; }

    public Device Device { get; }

    public static void Check(Tensor images, IBackbone backbone)
    {
        ArgumentNullException.ThrowIfNull(images);
        var shape = images.shape;
        if (images.dtype != ScalarType.Byte || shape is not [_, _, _, 3] || Math.Min(shape[1], shape[2]) < backbone.SmallestInput)
        {
            throw new ArgumentException($"{backbone.Name} takes uint8 images [n, height, width, 3] of at least {backbone.SmallestInput} px, not {images.dtype} [{string.Join(", ", shape)}].", nameof(images));
        }
    }

    public Tensor Features(Tensor images)
    {
        Check(images, this);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var pixels = images.to(Device).to(ScalarType.Float32).div_(255).sub_(_mean).div_(_std);
        if (Precision == Precision.Bf16)
        {
            pixels = pixels.to(ScalarType.BFloat16);
        }

        // The view keeps the channels last in memory, for which LibTorch has the faster kernels.
        var features = _network.forward(pixels.permute(0, 3, 1, 2));
        return features.to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _network.Dispose();
        _mean.Dispose();
        _std.Dispose();
    }

    private Tensor PerChannel(float[] values)
    {
        using var plain = TensorData.FromValues(values, 3).ToTensor();
        return plain.to(Device, copy: true).DetachFromDisposeScope();
    }
}
