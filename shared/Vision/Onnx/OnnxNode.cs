namespace Distributed.Vision.Onnx;

/// <summary>One operation.</summary>
/// <param name="Operation">The operator's name; of another domain than ONNX's own, behind that.</param>
/// <param name="Inputs">Names of what it reads; empty for what is left out.</param>
/// <param name="Outputs">Names of what it makes.</param>
/// <param name="Attributes">By name.</param>
internal sealed record OnnxNode(
    string Operation,
    IReadOnlyList<string> Inputs,
    IReadOnlyList<string> Outputs,
    IReadOnlyDictionary<string, OnnxAttribute> Attributes
)
{
    public static OnnxNode Read(ProtobufReader node)
    {
        var (operation, domain) = ("", "");
        var (inputs, outputs) = (new List<string>(), new List<string>());
        var attributes = new Dictionary<string, OnnxAttribute>(StringComparer.Ordinal);
        while (node.Next() is not 0 and var field)
        {
            switch (field)
            {
                case 1:
                    inputs.Add(node.Text());
                    break;
                case 2:
                    outputs.Add(node.Text());
                    break;
                case 4:
                    operation = node.Text();
                    break;
                case 5:
                    var attribute = OnnxAttribute.Read(node.Message());
                    attributes[attribute.Name] = attribute;
                    break;
                case 7:
                    domain = node.Text();
                    break;
                default:
                    node.Skip();
                    break;
            }
        }

        return new OnnxNode(domain is "" or "ai.onnx" ? operation : $"{domain}.{operation}", inputs, outputs, attributes);
    }

    /// <summary>An attribute that is a whole number.</summary>
    public long Integer(string name, long otherwise) => Attributes.TryGetValue(name, out var attribute) ? attribute.Integer : otherwise;

    /// <summary>An attribute that is a list of whole numbers.</summary>
    public IReadOnlyList<long> Integers(string name, params long[] otherwise) =>
        Attributes.TryGetValue(name, out var attribute) && attribute.Integers.Count > 0 ? attribute.Integers : otherwise;

    /// <summary>An attribute that is a number.</summary>
    public float Single(string name, float otherwise) => Attributes.TryGetValue(name, out var attribute) ? attribute.Single : otherwise;

    /// <summary>An attribute that is a text.</summary>
    public string Text(string name, string otherwise) => Attributes.TryGetValue(name, out var attribute) ? attribute.Text : otherwise;
}

/// <summary>A setting of an operation; what is not of its type is 0 or empty.</summary>
internal sealed record OnnxAttribute(string Name, long Integer, float Single, string Text, IReadOnlyList<long> Integers)
{
    public static OnnxAttribute Read(ProtobufReader attribute)
    {
        var (name, integer, single, text) = ("", 0L, 0f, "");
        var integers = new List<long>();
        while (attribute.Next() is not 0 and var field)
        {
            switch (field)
            {
                case 1:
                    name = attribute.Text();
                    break;
                case 2:
                    single = attribute.Single();
                    break;
                case 3:
                    integer = attribute.Integer();
                    break;
                case 4:
                    text = attribute.Text();
                    break;
                case 8:
                    attribute.AddIntegers(integers);
                    break;
                default:
                    attribute.Skip();
                    break;
            }
        }

        return new OnnxAttribute(name, integer, single, text, integers);
    }
}
