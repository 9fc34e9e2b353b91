using System.Runtime.InteropServices;

namespace Distributed.Vision.Onnx;

/// <summary>Fixed numbers.</summary>
/// <param name="Name">Their name.</param>
/// <param name="ElementType">Number in onnx.proto's TensorProto.DataType.</param>
/// <param name="Shape">Extents.</param>
/// <param name="Bytes">Elements, row-major; empty where they are in another file.</param>
/// <param name="Integers">Elements of an int64 tensor that are written as such, instead of bytes.</param>
/// <param name="Location">Name of the file that holds them; null where they are here.</param>
/// <param name="Offset">Where they begin there.</param>
/// <param name="Length">Their bytes there; to its end where null.</param>
internal sealed record OnnxTensor(
    string Name,
    long ElementType,
    long[] Shape,
    ReadOnlyMemory<byte> Bytes,
    IReadOnlyList<long> Integers,
    string? Location,
    long Offset,
    long? Length
)
{
    private const long Int64 = 7;

    public static OnnxTensor Read(ProtobufReader tensor)
    {
        var (name, elementType) = ("", 0L);
        ReadOnlyMemory<byte> bytes = default;
        var (shape, singles, integers) = (new List<long>(), new List<float>(), new List<long>());
        var external = new Dictionary<string, string>(StringComparer.Ordinal);
        while (tensor.Next() is not 0 and var field)
        {
            switch (field)
            {
                case 1:
                    tensor.AddIntegers(shape);
                    break;
                case 2:
                    elementType = tensor.Integer();
                    break;
                case 4:
                    tensor.AddSingles(singles);
                    break;
                case 7:
                    tensor.AddIntegers(integers);
                    break;
                case 8:
                    name = tensor.Text();
                    break;
                case 9:
                    bytes = tensor.Bytes();
                    break;
                case 13:
                    var (key, value) = ReadPair(tensor.Message());
                    external[key] = value;
                    break;
                default:
                    tensor.Skip();
                    break;
            }
        }

        return new OnnxTensor(
            name,
            elementType,
            [.. shape],
            singles.Count > 0 ? MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(singles)).ToArray() : bytes,
            integers,
            external.GetValueOrDefault("location"),
            Number("offset") ?? 0,
            Number("length")
        );

        long? Number(string key) => external.TryGetValue(key, out var text) && long.TryParse(text, out var number) ? number : null;
    }

    /// <summary>Whole numbers of an int64 tensor; none of another type.</summary>
    public IReadOnlyList<long> Numbers() =>
        ElementType != Int64 ? []
        : Integers.Count > 0 ? Integers
        : Bytes.Length % sizeof(long) == 0 ? MemoryMarshal.Cast<byte, long>(Bytes.Span).ToArray()
        : [];

    private static (string Key, string Value) ReadPair(ProtobufReader pair)
    {
        var (key, value) = ("", "");
        while (pair.Next() is not 0 and var field)
        {
            switch (field)
            {
                case 1:
                    key = pair.Text();
                    break;
                case 2:
                    value = pair.Text();
                    break;
                default:
                    pair.Skip();
                    break;
            }
        }

        return (key, value);
    }
}
