using TorchSharp;

namespace Distributed.Vision;

/// <summary>What every DenseNet is made of, however it is computed.</summary>
internal interface IDenseNetBackbone : IBackbone
{
    DenseNetArchitecture Architecture { get; }

    BackboneWeights Weights { get; }

    string IBackbone.Name => Architecture.Name;

    string IBackbone.Sha256 => Weights.Sha256;

    string IBackbone.Origin => $"{Architecture.Title}, {Weights.Origin}";

    int IBackbone.FeatureSize => Architecture.FeatureSize;

    int IBackbone.SmallestInput => DenseNetArchitecture.SmallestInput;

    Preprocessing IBackbone.Preprocessing => Weights.Preprocessing;

    /// <summary>The fastest way to compute features: compiled kernels where the processor has what they need, else LibTorch's operators.</summary>
    IBackbone IBackbone.ConvertTo(Precision precision, torch.Device device) =>
        device.type == DeviceType.CPU && InstructionSet.For(precision) is { } instructions
            ? new CompiledBackbone(Architecture, Weights, precision, instructions)
            : new FoldedDenseNet(Architecture, Weights, precision, device);
}
