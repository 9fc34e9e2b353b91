using System.Security.Cryptography;
using Distributed.Vision.Export;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Onnx;

/// <summary>
/// A model as onnx.proto's ModelProto has it: what is needed to know its inputs, outputs and layers
/// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Subgraphs of control flow are not looked into.
/// </summary>
internal sealed class OnnxFile
{
    /// <summary>Protocol Buffers allow no longer message.</summary>
    private const long LongestFile = int.MaxValue;

    private readonly Dictionary<string, OnnxTensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OnnxNode> _producers = new(StringComparer.Ordinal);
    private readonly List<OnnxValue> _inputs = [];
    private readonly List<OnnxValue> _outputs = [];
    private bool _hasGraph;

    private OnnxFile(byte[] content, string source)
    {
        (Content, Source) = (content, source);
        ReadModel(new ProtobufReader(content, source));
        _inputs.RemoveAll(input => _tensors.ContainsKey(input.Name));
        if (!_hasGraph || _inputs.Count == 0 || _outputs.Count == 0)
        {
            throw new WeightsException($"{source} is no ONNX model: it has no graph with inputs and outputs. Download or export it again.");
        }
    }

    /// <summary>The whole file, with all tensors in it, wherever they were read from.</summary>
    public byte[] Content { get; }

    /// <summary>SHA-256 of <see cref="Content"/>, 64 lower-case hexadecimal digits.</summary>
    public string Sha256 => field ??= Convert.ToHexStringLower(SHA256.HashData(Content));

    /// <summary>What errors call the file.</summary>
    public string Source { get; }

    /// <summary>Inputs that whoever runs the model has to give.</summary>
    public IReadOnlyList<OnnxValue> Inputs => _inputs;

    /// <summary>What the model gives.</summary>
    public IReadOnlyList<OnnxValue> Outputs => _outputs;

    /// <summary>The node that makes a tensor; null for inputs and fixed numbers.</summary>
    public OnnxNode? ProducerOf(string tensor) => _producers.GetValueOrDefault(tensor);

    /// <summary>A fixed tensor; null for what is computed.</summary>
    public OnnxTensor? Fixed(string tensor) => _tensors.GetValueOrDefault(tensor);

    /// <summary>Whether the name is that of anything in the model.</summary>
    public bool Has(string tensor) => _producers.ContainsKey(tensor) || _outputs.Any(output => output.Name == tensor);

    /// <summary>Whether a file may be a model: the first field of one is its version, and behind it another field of a model begins.</summary>
    public static bool Is(string path)
    {
        if (Path.GetExtension(path).Equals(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        using var stream = File.OpenRead(path);
        Span<byte> start = stackalloc byte[16];
        start = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        // A safetensors file begins with the length of its header, which may look alike, and the header with a brace.
        return start.Length > 8
            && start is [0x08, > 0 and < 0x20, 0x12 or 0x1a or 0x22 or 0x28 or 0x32 or 0x3a or 0x42, ..]
            && start[8..] is not [(byte)'{', ..];
    }

    /// <summary>Reads a model, and tensors in files beside it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WeightsException">It is no model, is damaged, names files that are not beside it, or is beyond 2 GB with them.</exception>
    public static OnnxFile Open(string path)
    {
        if (new FileInfo(path).Length is > LongestFile and var length)
        {
            throw new WeightsException(
                $"'{path}' has {length} bytes, and an ONNX file at most {LongestFile}. Export a smaller model, or one in float16."
            );
        }

        var source = $"'{path}'";
        var content = File.ReadAllBytes(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return new OnnxFile(new OnnxExternalData(folder, source).Inline(content), source);
    }

    /// <summary>Reads a model that is in memory already.</summary>
    /// <param name="content">The whole file.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="WeightsException">It is no model, or is damaged.</exception>
    public static OnnxFile Parse(byte[] content, string source) => new(content, source);

    /// <summary>The model with a tensor among its outputs: messages that stand one behind the other are one, and so are their graphs.</summary>
    /// <param name="tensor">Name of any tensor in it.</param>
    public byte[] WithOutput(string tensor) =>
        _outputs.Any(output => output.Name == tensor)
            ? Content
            :
            [
                .. Content,
                .. new ProtobufWriter().Message(7, new ProtobufWriter().Message(12, new ProtobufWriter().Text(1, tensor))).Written,
            ];

    /// <summary>The numbers of a fixed tensor.</summary>
    /// <exception cref="WeightsException">They are no floating-point numbers, or not as many as its shape says.</exception>
    public TensorData Read(OnnxTensor tensor)
    {
        var type = tensor.ElementType switch
        {
            1 => torch.ScalarType.Float32,
            10 => torch.ScalarType.Float16,
            11 => torch.ScalarType.Float64,
            16 => torch.ScalarType.BFloat16,
            _ => throw new WeightsException(
                $"The tensor '{tensor.Name}' of {Source} has the element type {tensor.ElementType}; float16, bfloat16, float32 and float64 are understood."
            ),
        };
        return tensor.Shape.All(extent => extent >= 0) && tensor.Bytes.Length == TensorTypes.ByteLength(type, tensor.Shape)
            ? new TensorData(type, tensor.Shape, tensor.Bytes)
            : throw new WeightsException(
                $"The tensor '{tensor.Name}' [{string.Join(", ", tensor.Shape)}] of {Source} has {tensor.Bytes.Length} bytes. The file is damaged; download or export it again."
            );
    }

    private void ReadModel(ProtobufReader model)
    {
        while (model.Next() is not 0 and var field)
        {
            if (field == 7)
            {
                _hasGraph = true;
                ReadGraph(model.Message());
            }
            else
            {
                model.Skip();
            }
        }
    }

    private void ReadGraph(ProtobufReader graph)
    {
        while (graph.Next() is not 0 and var field)
        {
            switch (field)
            {
                case 1:
                    var node = OnnxNode.Read(graph.Message());
                    foreach (var output in node.Outputs.Where(output => output.Length > 0))
                    {
                        _producers[output] = node;
                    }

                    break;
                case 5:
                    var tensor = OnnxTensor.Read(graph.Message());
                    _tensors[tensor.Name] = tensor;
                    break;
                case 11:
                    _inputs.Add(OnnxValue.Read(graph.Message()));
                    break;
                case 12:
                    _outputs.Add(OnnxValue.Read(graph.Message()));
                    break;
                default:
                    graph.Skip();
                    break;
            }
        }
    }
}
