using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A network computed layer by layer as it is written, in float32 on the processor: what extraction is measured against.</summary>
internal sealed class PlainBackbone(BackboneWeights weights) : Backbone(weights, Precision.Fp32, CPU)
{
    // Most of those who load weights only look at them, or convert them to what computes faster.
    private readonly Lazy<Parts> _parts = new(() => new Parts(weights));

    public override void Dispose()
    {
        if (_parts.IsValueCreated)
        {
            var (network, mean, std) = _parts.Value;
            network.Dispose();
            mean.Dispose();
            std.Dispose();
        }
    }

    /// <summary>The network alone: normalised images, float32 [n, 3, height, width] however they lie in memory, to features.</summary>
    internal Tensor Network(Tensor images)
    {
        using var withoutGradients = no_grad();
        return _parts.Value.Network.forward(images);
    }

    protected override Tensor Compute(Tensor images)
    {
        var (network, mean, std) = _parts.Value;
        var pixels = images.to(CPU).to(ScalarType.Float32).div_(255).sub_(mean).div_(std);
        // The view keeps the channels last in memory, for which LibTorch has the faster kernels.
        return network.forward(pixels.permute(0, 3, 1, 2));
    }

    private sealed record Parts(NetworkModule Network, Tensor Mean, Tensor Std)
    {
        public Parts(BackboneWeights weights)
            : this(
                new NetworkModule(weights.Architecture),
                PerChannel(weights.Preprocessing.Mean),
                PerChannel(weights.Preprocessing.Std)
            ) => weights.CopyTo(Network);

        private static Tensor PerChannel(float[] values) => TensorData.FromValues(values, 3).ToTensor().DetachFromDisposeScope();
    }
}
