using Distributed.Networks;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>
/// A network as TorchSharp's modules, which can be trained; parameters carry the names of the graph. A new one is in evaluation, and
/// without gradients.
/// </summary>
internal sealed class NetworkModule : nn.Module<Tensor, Tensor>
{
    private readonly GraphInterpreter _interpreter;

    public NetworkModule(NetworkArchitecture architecture)
        : base(architecture.Name)
    {
        var modules = new Dictionary<Layer, nn.Module<Tensor, Tensor>>();
        foreach (var layer in architecture.Graph.Layers)
        {
            if (Create(layer) is { } module)
            {
                modules.Add(layer, module);
                Register(layer.Name, module);
            }
        }

        _interpreter = new GraphInterpreter(
            architecture.Graph,
            new Dictionary<Layer, Place>(),
            (layer, input) => modules[layer].forward(input)
        );
        eval();
        foreach (var parameter in parameters())
        {
            parameter.requires_grad_(false);
        }
    }

    /// <summary>Normalised images [n, 3, height, width], however they lie in memory, to features [n, d].</summary>
    public override Tensor forward(Tensor input) => _interpreter.Run(input);

    private static nn.Module<Tensor, Tensor>? Create(Layer layer) =>
        layer.Operation switch
        {
            Networks.Convolution convolution => nn.Conv2d(
                layer.Inputs[0].Channels,
                convolution.Outputs,
                convolution.Window,
                stride: convolution.Stride,
                padding: convolution.Padding,
                bias: false
            ),
            Normalization => nn.BatchNorm2d(layer.Channels, eps: Normalization.Epsilon),
            Dense dense => nn.Linear(layer.Inputs[0].Channels, dense.Outputs),
            _ => null,
        };

    /// <summary>The parts of a name are modules within modules.</summary>
    private void Register(string name, nn.Module module)
    {
        nn.Module parent = this;
        var parts = name.Split('.');
        foreach (var part in parts[..^1])
        {
            var child = parent.named_children().FirstOrDefault(known => known.name == part).module;
            if (child is null)
            {
                child = new Group(part);
                parent.register_module(part, child);
            }

            parent = child;
        }

        parent.register_module(parts[^1], module);
    }

    private sealed class Group(string name) : nn.Module(name);
}
