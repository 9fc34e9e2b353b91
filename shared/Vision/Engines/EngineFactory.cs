using Distributed.Networks;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Engines;

/// <summary>Chooses what computes a network.</summary>
internal static class EngineFactory
{
    /// <summary>
    /// The fastest way to compute features: our kernels where the processor has what they need and they know all of the network's layers,
    /// else LibTorch's operators.
    /// </summary>
    /// <exception cref="WeightsException">Weights are beyond the numbers of the precision.</exception>
    public static Backbone Create(BackboneWeights weights, Precision precision, torch.Device device)
    {
        var graph = weights.Architecture.Graph.Folded();
        return
            device.type == DeviceType.CPU
            && InstructionSet.For(precision) is { } instructions
            && CompiledBackbone.Create(graph, weights, precision, instructions) is { } compiled
            ? compiled
            : new OperatorBackbone(graph, weights, precision, device);
    }
}
