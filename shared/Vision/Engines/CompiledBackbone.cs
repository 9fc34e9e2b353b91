using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A network computed by <see cref="CompiledDenseNet"/> on the processor.</summary>
internal sealed class CompiledBackbone(KernelPlan plan, BackboneWeights weights, Precision precision, InstructionSet instructions)
    : Backbone(weights, precision, CPU)
{
    private readonly CompiledDenseNet _network = new(plan, weights, precision == Precision.Bf16, instructions);

    public override bool TakesAnyBatch => true;

    public override void Dispose() => _network.Dispose();

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
                _network.Run(source, count, height, width, (float*)target, get_num_threads());
            }
        }

        return features;
    }
}
