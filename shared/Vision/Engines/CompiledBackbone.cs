using Distributed.Networks;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A network computed by kernels that are made for it, on the processor.</summary>
internal sealed class CompiledBackbone(ICompiledNetwork network, BackboneWeights weights, Precision precision)
    : Backbone(weights, precision, CPU)
{
    public override bool TakesAnyBatch => true;

    /// <summary>Whether there are kernels for a network, on whatever processor.</summary>
    public static bool Knows(NetworkGraph folded) =>
        KernelPlan.For(folded, InstructionSet.Avx512) is not null || ResidualPlan.For(folded, InstructionSet.Avx512) is not null;

    /// <summary>Makes the kernels of a network.</summary>
    /// <returns>Null where they do not know some layers, or their numbers of channels.</returns>
    public static CompiledBackbone? Create(NetworkGraph folded, BackboneWeights weights, Precision precision, InstructionSet instructions)
    {
        var bf16 = precision == Precision.Bf16;
        ICompiledNetwork? network =
            KernelPlan.For(folded, instructions) is { } dense ? new CompiledDenseNet(dense, weights, bf16, instructions)
            : ResidualPlan.For(folded, instructions) is { } residual ? new CompiledResNet(residual, weights, bf16, instructions)
            : null;
        return network is null ? null : new CompiledBackbone(network, weights, precision);
    }

    public override void Dispose() => network.Dispose();

    protected override unsafe Tensor Compute(Tensor images)
    {
        var pixels = images.cpu().contiguous();
        var (count, height, width) = ((int)pixels.shape[0], (int)pixels.shape[1], (int)pixels.shape[2]);
        var features = empty([count, FeatureSize], dtype: ScalarType.Float32);
        if (count > 0)
        {
            fixed (byte* source = pixels.bytes)
            fixed (byte* target = features.bytes)
            {
                network.Run(source, count, height, width, (float*)target, get_num_threads());
            }
        }

        return features;
    }
}
