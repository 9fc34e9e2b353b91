using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>A DenseNet as a backbone, computed by <see cref="CompiledDenseNet"/> on the CPU.</summary>
internal sealed class CompiledBackbone : IDenseNetBackbone
{
    private readonly CompiledDenseNet _network;

    public CompiledBackbone(DenseNetArchitecture architecture, BackboneWeights weights, Precision precision, InstructionSet instructions)
    {
        Architecture = architecture;
        Weights = weights;
        Precision = precision;
        _network = new CompiledDenseNet(architecture, weights, precision == Precision.Bf16, instructions);
    }

    public DenseNetArchitecture Architecture { get; }

    public BackboneWeights Weights { get; }

    public Precision Precision { get; }

    public Device Device => CPU;

    public bool TakesAnyBatch => true;

    public unsafe Tensor Features(Tensor images)
    {
        DenseNetBackbone.Check(images, this);
        using var scope = NewDisposeScope();
        var pixels = images.cpu().contiguous();
        var (count, height, width) = ((int)pixels.shape[0], (int)pixels.shape[1], (int)pixels.shape[2]);
        var features = empty([count, Architecture.FeatureSize], dtype: ScalarType.Float32);
        if (count > 0)
        {
            fixed (byte* source = pixels.bytes)
            fixed (byte* target = features.bytes)
            {
                _network.Run(source, count, height, width, (float*)target, get_num_threads());
            }
        }

        return features.MoveToOuterDisposeScope();
    }

    public void Dispose() => _network.Dispose();
}
