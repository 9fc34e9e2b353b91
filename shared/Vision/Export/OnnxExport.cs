using System.Globalization;
using System.Runtime.InteropServices;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Export;

/// <summary>Writes a backbone as an ONNX model (IR version 8, operator set 13; https://github.com/onnx/onnx/blob/main/docs/IR.md).</summary>
public static class OnnxExport
{
    /// <summary>Name of the model's input: float32 [n, 3, height, width], RGB, normalised as <see cref="IBackbone.Preprocessing"/> says.</summary>
    public const string InputName = "images";

    /// <summary>Name of the model's output: float32 [n, <see cref="IBackbone.FeatureSize"/>].</summary>
    public const string OutputName = "features";

    /// <summary>Writes the model as the paper has it, normalisations as such: what optimises a model can fold them itself.</summary>
    /// <param name="backbone">Its weights are written in float32, whatever precision it computes in.</param>
    /// <param name="target">Receives the model; not closed.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <exception cref="NotSupportedException">The backbone is no network that this library has the graph of.</exception>
    public static async Task WriteAsync(IBackbone backbone, Stream target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(target);
        if (backbone is not Backbone { Weights: var weights })
        {
            throw new NotSupportedException($"There is no ONNX export for '{backbone.Name}', only for the networks of this library.");
        }

        var graph = new GraphWriter(weights);
        // Fields of onnx.proto's ModelProto.
        var model = new ProtobufWriter()
            .Integer(1, 8)
            .Text(2, "Distributed")
            .Message(7, graph.ToMessage(backbone))
            .Message(8, new ProtobufWriter().Text(1, "").Integer(2, 13));
        foreach (
            var (key, value) in new[]
            {
                ("origin", backbone.Origin),
                ("sha256", backbone.Sha256),
                (
                    "mean",
                    string.Join(',', backbone.Preprocessing.Mean.Select(number => number.ToString("R", CultureInfo.InvariantCulture)))
                ),
                ("std", string.Join(',', backbone.Preprocessing.Std.Select(number => number.ToString("R", CultureInfo.InvariantCulture)))),
            }
        )
        {
            model.Message(14, new ProtobufWriter().Text(1, key).Text(2, value));
        }

        await model.CopyToAsync(target, cancellationToken);
    }

    /// <summary>Collects nodes and tensors of onnx.proto's GraphProto.</summary>
    private sealed class GraphWriter
    {
        private const int FloatType = 1;

        private readonly BackboneWeights _weights;
        private readonly NetworkGraph _graph;
        private readonly IReadOnlyDictionary<string, long[]> _shapes;
        private readonly List<ProtobufWriter> _nodes = [];
        private readonly List<ProtobufWriter> _tensors = [];

        public GraphWriter(BackboneWeights weights)
        {
            _weights = weights;
            _graph = weights.Architecture.Graph;
            _shapes = _graph.TensorShapes;
            foreach (var layer in _graph.Layers)
            {
                Write(layer);
            }
        }

        public ProtobufWriter ToMessage(IBackbone backbone)
        {
            var graph = new ProtobufWriter();
            _nodes.ForEach(node => graph.Message(1, node));
            graph.Text(2, backbone.Name);
            _tensors.ForEach(tensor => graph.Message(5, tensor));
            return graph
                .Message(11, Value(InputName, Dimension("n"), Dimension(3), Dimension("height"), Dimension("width")))
                .Message(12, Value(OutputName, Dimension("n"), Dimension(backbone.FeatureSize)));
        }

        private static ProtobufWriter Dimension(string name) => new ProtobufWriter().Text(2, name);

        private static ProtobufWriter Dimension(long length) => new ProtobufWriter().Integer(1, length);

        private static ProtobufWriter Value(string name, params ProtobufWriter[] dimensions)
        {
            var shape = new ProtobufWriter();
            foreach (var dimension in dimensions)
            {
                shape.Message(1, dimension);
            }

            var type = new ProtobufWriter().Integer(1, FloatType).Message(2, shape);
            return new ProtobufWriter().Text(1, name).Message(2, new ProtobufWriter().Message(1, type));
        }

        private static ProtobufWriter Integer(string name, long value) =>
            new ProtobufWriter().Text(1, name).Integer(3, value).Integer(20, 2);

        private static ProtobufWriter Integers(string name, params long[] values)
        {
            var attribute = new ProtobufWriter().Text(1, name);
            foreach (var value in values)
            {
                attribute.Integer(8, value);
            }

            return attribute.Integer(20, 7);
        }

        private string NameOf(Layer layer) =>
            layer == _graph.Output ? OutputName
            : layer.Operation is Images ? InputName
            : layer.Name;

        private void Write(Layer layer)
        {
            switch (layer.Operation)
            {
                case Images:
                    break;
                case Convolution { Window: var window, Stride: var stride, Padding: var padding }:
                    Node(
                        "Conv",
                        layer,
                        ["weight"],
                        Integers("kernel_shape", window, window),
                        Integers("strides", stride, stride),
                        Integers("pads", padding, padding, padding, padding)
                    );
                    break;
                case Normalization:
                    var epsilon = new ProtobufWriter().Text(1, "epsilon").Single(2, (float)Normalization.Epsilon).Integer(20, 1);
                    Node("BatchNormalization", layer, ["weight", "bias", "running_mean", "running_var"], epsilon);
                    break;
                case Rectifier:
                    Node("Relu", layer, []);
                    break;
                case MaxPooling { Window: var window, Stride: var stride, Padding: var padding }:
                    Node(
                        "MaxPool",
                        layer,
                        [],
                        Integers("kernel_shape", window, window),
                        Integers("strides", stride, stride),
                        Integers("pads", padding, padding, padding, padding)
                    );
                    break;
                case AveragePooling { Window: var window }:
                    Node("AveragePool", layer, [], Integers("kernel_shape", window, window), Integers("strides", window, window));
                    break;
                case Concatenation:
                    Node("Concat", layer, [], Integer("axis", 1));
                    break;
                case Addition:
                    Node("Sum", layer, []);
                    break;
                case Dense:
                    Node("Gemm", layer, ["weight", "bias"], Integer("transB", 1));
                    break;
                case GlobalAverage:
                    var mean = layer == _graph.Output ? layer.Name : layer.Name + ".mean";
                    Node("GlobalAveragePool", mean, [NameOf(layer.Inputs[0])]);
                    Node("Flatten", NameOf(layer), [mean], Integer("axis", 1));
                    break;
                default:
                    throw new NotSupportedException($"There is no ONNX operator for the layer '{layer.Name}'.");
            }
        }

        private void Node(string operation, Layer layer, string[] weights, params ProtobufWriter[] attributes) =>
            Node(
                operation,
                NameOf(layer),
                [.. layer.Inputs.Select(NameOf), .. weights.Select(part => Tensor($"{layer.Name}.{part}"))],
                attributes
            );

        /// <summary>A node with one output of its own name.</summary>
        private void Node(string operation, string name, string[] inputs, params ProtobufWriter[] attributes)
        {
            var node = new ProtobufWriter();
            foreach (var input in inputs)
            {
                node.Text(1, input);
            }

            node.Text(2, name).Text(3, name).Text(4, operation);
            foreach (var attribute in attributes)
            {
                node.Message(5, attribute);
            }

            _nodes.Add(node);
        }

        private string Tensor(string name)
        {
            var tensor = new ProtobufWriter();
            foreach (var length in _shapes[name])
            {
                tensor.Integer(1, length);
            }

            _tensors.Add(tensor.Integer(2, FloatType).Text(8, name).Bytes(9, MemoryMarshal.AsBytes(_weights.Values(name).AsSpan())));
            return name;
        }
    }
}
