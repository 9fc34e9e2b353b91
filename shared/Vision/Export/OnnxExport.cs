using System.Globalization;
using System.Runtime.InteropServices;

namespace Distributed.Vision;

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
    /// <exception cref="NotSupportedException">The backbone is no DenseNet of this library.</exception>
    public static async Task WriteAsync(IBackbone backbone, Stream target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(target);
        if (backbone is not IDenseNetBackbone dense)
        {
            throw new NotSupportedException($"There is no ONNX export for '{backbone.Name}', only for the DenseNets of this library.");
        }

        var graph = new GraphWriter(dense.Weights);
        graph.Write(dense.Architecture);
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
    private sealed class GraphWriter(BackboneWeights weights)
    {
        private const int FloatType = 1;

        /// <summary>In the order of the operator's inputs.</summary>
        private static readonly string[] NormParts = ["weight", "bias", "running_mean", "running_var"];

        private readonly List<ProtobufWriter> _nodes = [];
        private readonly List<ProtobufWriter> _tensors = [];

        public void Write(DenseNetArchitecture architecture)
        {
            var channels = architecture.InitialFeatures;
            var bottleneck = DenseNetArchitecture.BottleneckFactor * architecture.GrowthRate;
            var current = Convolve("conv0", InputName, channels, 3, 7, stride: 2, padding: 3);
            current = NormalizeRelu("norm0", current, channels);
            current = Node(
                "MaxPool",
                "pool0",
                [current],
                Integers("kernel_shape", 3, 3),
                Integers("strides", 2, 2),
                Integers("pads", 1, 1, 1, 1)
            );
            for (var block = 0; block < architecture.Blocks.Length; block++)
            {
                if (block > 0)
                {
                    var name = $"transition{block}";
                    current = NormalizeRelu(name + ".norm", current, channels);
                    current = Convolve(name + ".conv", current, channels / 2, channels, 1);
                    current = Node("AveragePool", name + ".pool", [current], Integers("kernel_shape", 2, 2), Integers("strides", 2, 2));
                    channels /= 2;
                }

                for (var layer = 0; layer < architecture.Blocks[block]; layer++)
                {
                    var name = $"denseblock{block + 1}.denselayer{layer + 1}";
                    var added = NormalizeRelu(name + ".norm1", current, channels);
                    added = Convolve(name + ".conv1", added, bottleneck, channels, 1);
                    added = NormalizeRelu(name + ".norm2", added, bottleneck);
                    added = Convolve(name + ".conv2", added, architecture.GrowthRate, bottleneck, 3, padding: 1);
                    current = Node("Concat", name + ".concat", [current, added], Integer("axis", 1));
                    channels += architecture.GrowthRate;
                }
            }

            current = NormalizeRelu("norm5", current, channels);
            current = Node("GlobalAveragePool", "pool5", [current]);
            Node("Flatten", OutputName, [current], Integer("axis", 1));
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

        private string Convolve(string name, string input, int outputs, int inputs, int window, int stride = 1, int padding = 0) =>
            Node(
                "Conv",
                name,
                [input, Tensor(name + ".weight", outputs, inputs, window, window)],
                Integers("kernel_shape", window, window),
                Integers("strides", stride, stride),
                Integers("pads", padding, padding, padding, padding)
            );

        private string NormalizeRelu(string name, string input, int channels)
        {
            string[] parameters = [.. NormParts.Select(part => Tensor($"{name}.{part}", channels))];
            var epsilon = new ProtobufWriter().Text(1, "epsilon").Single(2, 1e-5f).Integer(20, 1);
            return Node("Relu", name + ".relu", [Node("BatchNormalization", name, [input, .. parameters], epsilon)]);
        }

        /// <summary>A node with one output of its own name.</summary>
        private string Node(string operation, string name, string[] inputs, params ProtobufWriter[] attributes)
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
            return name;
        }

        private string Tensor(string name, params long[] shape)
        {
            var tensor = new ProtobufWriter();
            foreach (var length in shape)
            {
                tensor.Integer(1, length);
            }

            _tensors.Add(tensor.Integer(2, FloatType).Text(8, name).Bytes(9, MemoryMarshal.AsBytes(weights.Values(name).AsSpan())));
            return name;
        }
    }
}
