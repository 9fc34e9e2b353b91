using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>The element types that weight files may hold, their names in safetensors, and their sizes.</summary>
internal static class TensorTypes
{
    /// <summary>More dimensions than any network has; a bound for hostile files.</summary>
    public const int HighestRank = 16;

    private static readonly (torch.ScalarType Type, string Name, int Size)[] Known =
    [
        (torch.ScalarType.Float64, "F64", 8),
        (torch.ScalarType.Float32, "F32", 4),
        (torch.ScalarType.Float16, "F16", 2),
        (torch.ScalarType.BFloat16, "BF16", 2),
        (torch.ScalarType.Int64, "I64", 8),
        (torch.ScalarType.Int32, "I32", 4),
        (torch.ScalarType.Int16, "I16", 2),
        (torch.ScalarType.Int8, "I8", 1),
        (torch.ScalarType.Byte, "U8", 1),
        (torch.ScalarType.Bool, "BOOL", 1),
    ];

    public static string Names { get; } = string.Join(", ", Known.Select(known => known.Name));

    public static torch.ScalarType? ByName(string name)
    {
        foreach (var known in Known)
        {
            if (known.Name == name)
            {
                return known.Type;
            }
        }

        return null;
    }

    public static string Name(torch.ScalarType type) => Find(type).Name;

    public static int ElementSize(torch.ScalarType type) => Find(type).Size;

    /// <summary>Bytes that a tensor takes, or -1 where an extent is negative or the product exceeds 63 bits.</summary>
    public static long ByteLength(torch.ScalarType type, ReadOnlySpan<long> shape)
    {
        Int128 length = ElementSize(type);
        var empty = false;
        foreach (var extent in shape)
        {
            if (extent < 0)
            {
                return -1;
            }

            empty |= extent == 0;
            length = length > long.MaxValue ? length : length * Math.Max(extent, 1);
        }

        return length > long.MaxValue ? -1
            : empty ? 0
            : (long)length;
    }

    private static (torch.ScalarType Type, string Name, int Size) Find(torch.ScalarType type)
    {
        foreach (var known in Known)
        {
            if (known.Type == type)
            {
                return known;
            }
        }

        throw new NotSupportedException($"Tensors of type {type} are not stored; these are: {Names}.");
    }
}
