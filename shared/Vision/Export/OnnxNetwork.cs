using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Export;

/// <summary>
/// Writes a base into an ONNX graph as the paper has it, normalisations as such: what optimises a model can fold them itself.
/// </summary>
internal static class OnnxNetwork
{
    /// <summary>Adds all layers.</summary>
    /// <param name="graph">Receives nodes and tensors.</param>
    /// <param name="weights">They are written in float32.</param>
    /// <param name="input">Name of normalised images, float32 [n, 3, height, width].</param>
    /// <param name="output">Name that the features get, float32 [n, features].</param>
    /// <param name="prefix">What the names of all else begin with.</param>
    /// <exception cref="NotSupportedException">A layer has no operator of ONNX.</exception>
    public static void AddTo(OnnxGraph graph, BackboneWeights weights, string input, string output, string prefix = "")
    {
        var network = weights.Architecture.Graph;
        var shapes = network.TensorShapes;
        foreach (var layer in network.Layers)
        {
            Add(layer);
        }

        string NameOf(Layer layer) =>
            layer == network.Output ? output
            : layer.Operation is Images ? input
            : prefix + layer.Name;

        void Node(string operation, Layer layer, string[] parts, params ProtobufWriter[] attributes) =>
            graph.AddNode(
                operation,
                NameOf(layer),
                [.. layer.Inputs.Select(NameOf), .. parts.Select(part => Tensor($"{layer.Name}.{part}"))],
                attributes
            );

        string Tensor(string name) => graph.AddTensor(prefix + name, weights.Values(name), shapes[name]);

        void Add(Layer layer)
        {
            switch (layer.Operation)
            {
                case Images:
                    break;
                case Convolution { Window: var window, Stride: var stride, Padding: var padding }:
                    Node("Conv", layer, ["weight"], Windows(window, stride, padding));
                    break;
                case Normalization:
                    Node(
                        "BatchNormalization",
                        layer,
                        ["weight", "bias", "running_mean", "running_var"],
                        OnnxGraph.Single("epsilon", (float)Normalization.Epsilon)
                    );
                    break;
                case Rectifier:
                    Node("Relu", layer, []);
                    break;
                case MaxPooling { Window: var window, Stride: var stride, Padding: var padding }:
                    Node("MaxPool", layer, [], Windows(window, stride, padding));
                    break;
                case AveragePooling { Window: var window }:
                    Node("AveragePool", layer, [], Windows(window, window, 0));
                    break;
                case Concatenation:
                    Node("Concat", layer, [], OnnxGraph.Integer("axis", 1));
                    break;
                case Addition:
                    Node("Sum", layer, []);
                    break;
                case Dense:
                    Node("Gemm", layer, ["weight", "bias"], OnnxGraph.Integer("transB", 1));
                    break;
                case GlobalAverage:
                    var mean = graph.AddNode(
                        "GlobalAveragePool",
                        prefix + (layer == network.Output ? layer.Name : layer.Name + ".map"),
                        [NameOf(layer.Inputs[0])]
                    );
                    graph.AddNode("Flatten", NameOf(layer), [mean], OnnxGraph.Integer("axis", 1));
                    break;
                default:
                    throw new NotSupportedException($"There is no ONNX operator for the layer '{layer.Name}'.");
            }
        }
    }

    private static ProtobufWriter[] Windows(int window, int stride, int padding) =>
        [
            OnnxGraph.Integers("kernel_shape", window, window),
            OnnxGraph.Integers("strides", stride, stride),
            OnnxGraph.Integers("pads", padding, padding, padding, padding),
        ];
}
