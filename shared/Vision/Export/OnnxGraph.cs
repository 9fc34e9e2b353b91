using System.Runtime.InteropServices;

namespace Distributed.Vision.Export;

/// <summary>
/// Collects the nodes, tensors, inputs and outputs of onnx.proto's GraphProto, and writes the model around them (IR version 8, operator set
/// 13;
/// https://github.com/onnx/onnx/blob/main/docs/IR.md). Every node has one output, named as the node is.
/// </summary>
internal sealed class OnnxGraph(string name)
{
    private const int IrVersion = 8;
    private const int OperatorSet = 13;

    private readonly List<ProtobufWriter> _nodes = [];
    private readonly List<ProtobufWriter> _tensors = [];
    private readonly List<ProtobufWriter> _inputs = [];
    private readonly List<ProtobufWriter> _outputs = [];

    /// <summary>Adds an input of the graph.</summary>
    /// <param name="input">Its name.</param>
    /// <param name="type">Its element type.</param>
    /// <param name="dimensions">A number, or a name for what differs from call to call.</param>
    public void AddInput(string input, OnnxType type, params object[] dimensions) => _inputs.Add(Value(input, type, dimensions));

    /// <summary>Says that a node's output is one of the graph.</summary>
    /// <inheritdoc cref="AddInput"/>
    public void AddOutput(string output, OnnxType type, params object[] dimensions) => _outputs.Add(Value(output, type, dimensions));

    /// <summary>Adds a node, behind those that it reads.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="output">Name of the node, and of its output.</param>
    /// <param name="inputs">Names of nodes, tensors and inputs of the graph.</param>
    /// <param name="attributes">From <see cref="Integer"/>, <see cref="Integers"/> and <see cref="Single"/>.</param>
    /// <returns>The name.</returns>
    public string AddNode(string operation, string output, IEnumerable<string> inputs, params ProtobufWriter[] attributes)
    {
        var node = new ProtobufWriter();
        foreach (var input in inputs)
        {
            node.Text(1, input);
        }

        node.Text(2, output).Text(3, output).Text(4, operation);
        foreach (var attribute in attributes)
        {
            node.Message(5, attribute);
        }

        _nodes.Add(node);
        return output;
    }

    /// <summary>Adds fixed numbers.</summary>
    /// <returns>Their name.</returns>
    public string AddTensor(string tensor, ReadOnlySpan<float> values, params IReadOnlyList<long> shape)
    {
        var message = new ProtobufWriter();
        foreach (var length in shape)
        {
            message.Integer(1, length);
        }

        _tensors.Add(message.Integer(2, (int)OnnxType.Float).Text(8, tensor).Bytes(9, MemoryMarshal.AsBytes(values)));
        return tensor;
    }

    /// <summary>Adds fixed whole numbers of 64 bits.</summary>
    /// <returns>Their name.</returns>
    public string AddIntegers(string tensor, params ReadOnlySpan<long> values)
    {
        _tensors.Add(
            new ProtobufWriter()
                .Integer(1, values.Length)
                .Integer(2, (int)OnnxType.Int64)
                .Text(8, tensor)
                .Bytes(9, MemoryMarshal.AsBytes(values))
        );
        return tensor;
    }

    /// <summary>An attribute that is a whole number.</summary>
    public static ProtobufWriter Integer(string attribute, long value) =>
        new ProtobufWriter().Text(1, attribute).Integer(3, value).Integer(20, 2);

    /// <summary>An attribute that is a list of whole numbers.</summary>
    public static ProtobufWriter Integers(string attribute, params long[] values)
    {
        var message = new ProtobufWriter().Text(1, attribute);
        foreach (var value in values)
        {
            message.Integer(8, value);
        }

        return message.Integer(20, 7);
    }

    /// <summary>An attribute that is a number.</summary>
    public static ProtobufWriter Single(string attribute, float value) =>
        new ProtobufWriter().Text(1, attribute).Single(2, value).Integer(20, 1);

    /// <summary>The whole file, onnx.proto's ModelProto.</summary>
    /// <param name="metadata">What is to be known of the model, by key.</param>
    public ProtobufWriter ToModel(IEnumerable<KeyValuePair<string, string>> metadata)
    {
        var graph = new ProtobufWriter();
        _nodes.ForEach(node => graph.Message(1, node));
        graph.Text(2, name);
        _tensors.ForEach(tensor => graph.Message(5, tensor));
        _inputs.ForEach(input => graph.Message(11, input));
        _outputs.ForEach(output => graph.Message(12, output));
        var model = new ProtobufWriter()
            .Integer(1, IrVersion)
            .Text(2, "Distributed")
            .Message(7, graph)
            .Message(8, new ProtobufWriter().Text(1, "").Integer(2, OperatorSet));
        foreach (var (key, value) in metadata)
        {
            model.Message(14, new ProtobufWriter().Text(1, key).Text(2, value));
        }

        return model;
    }

    private static ProtobufWriter Value(string name, OnnxType element, object[] dimensions)
    {
        var shape = new ProtobufWriter();
        foreach (var dimension in dimensions)
        {
            shape.Message(
                1,
                dimension is string variable ? new ProtobufWriter().Text(2, variable) : new ProtobufWriter().Integer(1, (int)dimension)
            );
        }

        var type = new ProtobufWriter().Integer(1, (int)element).Message(2, shape);
        return new ProtobufWriter().Text(1, name).Message(2, new ProtobufWriter().Message(1, type));
    }
}

/// <summary>Element types by their number in onnx.proto's TensorProto.DataType.</summary>
internal enum OnnxType
{
    /// <summary>32 bits.</summary>
    Float = 1,

    /// <summary>A byte.</summary>
    UInt8 = 2,

    /// <summary>A whole number of 64 bits.</summary>
    Int64 = 7,
}
