using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>A DenseNet as a backbone, computed by <see cref="CompiledDenseNet"/> on the CPU.</summary>
internal sealed class CompiledBackbone : IBackbone
{
    private readonly DenseNetArchitecture _architecture;
    private readonly BackboneWeights _weights;
    private readonly CompiledDenseNet _network;

    public CompiledBackbone(DenseNetArchitecture architecture, BackboneWeights weights, Precision precision)
    {
        _architecture = architecture;
        _weights = weights;
        Precision = precision;
        _network = new CompiledDenseNet(architecture, weights, precision == Precision.Bf16);
    }

    public string Name => _architecture.Name;

    public string Sha256 => _weights.Sha256;

    public string Origin => $"{_architecture.Title}, {_weights.Origin}";

    public int FeatureSize => _architecture.FeatureSize;

    public int SmallestInput => DenseNetArchitecture.SmallestInput;

    public Preprocessing Preprocessing => _weights.Preprocessing;

    public Precision Precision { get; }

    public Device Device => CPU;

    public IBackbone ConvertTo(Precision precision, Device device) => DenseNetBackbone.ForExtraction(_architecture, _weights, precision, device);

    public unsafe Tensor Features(Tensor images)
    {
        DenseNetBackbone.Check(images, this);
        using var scope = NewDisposeScope();
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

        return features.MoveToOuterDisposeScope();
    }

    public void Dispose() => _network.Dispose();
}
