using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>A tensor as plain data: what files hold and what needs no native memory.</summary>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extent of every dimension; empty for a scalar.</param>
/// <param name="Bytes">Elements in row-major order, little-endian; exactly element size times the product of the shape.</param>
public sealed record TensorData(torch.ScalarType Type, long[] Shape, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => TensorTypes.ByteLength(Type, Shape) / TensorTypes.ElementSize(Type);

    /// <summary>Copies float32 values.</summary>
    /// <param name="values">Elements in row-major order.</param>
    /// <param name="shape">Extents; their product is the number of values.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many values.</exception>
    public static TensorData FromValues(ReadOnlySpan<float> values, params long[] shape) =>
        Checked(torch.ScalarType.Float32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>Copies float64 values.</summary>
    /// <inheritdoc cref="FromValues(ReadOnlySpan{float}, long[])"/>
    public static TensorData FromValues(ReadOnlySpan<double> values, params long[] shape) =>
        Checked(torch.ScalarType.Float64, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>Copies int64 values.</summary>
    /// <inheritdoc cref="FromValues(ReadOnlySpan{float}, long[])"/>
    public static TensorData FromValues(ReadOnlySpan<long> values, params long[] shape) =>
        Checked(torch.ScalarType.Int64, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>Copies float64 values into a new tensor on the CPU, without plain data between: for many of them.</summary>
    /// <param name="values">Row-major, as many as the shape holds.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Numbers of a row.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many values.</exception>
    internal static torch.Tensor CopyOf(ReadOnlySpan<double> values, int rows, int columns)
    {
        // TorchSharp shows at most 2 GiB of a tensor at once.
        const int bytesAtOnce = 1 << 28;
        if (values.Length != (long)rows * columns)
        {
            throw new ArgumentException($"The shape [{rows}, {columns}] does not hold {values.Length} values.", nameof(values));
        }

        var tensor = torch.empty(rows, columns, dtype: torch.ScalarType.Float64);
        var rowsAtOnce = Math.Max(bytesAtOnce / sizeof(double) / columns, 1);
        for (var first = 0; first < rows; first += rowsAtOnce)
        {
            var count = Math.Min(rowsAtOnce, rows - first);
            using var part = tensor.narrow(0, first, count);
            MemoryMarshal.AsBytes(values.Slice(first * columns, count * columns)).CopyTo(part.bytes);
        }

        return tensor;
    }

    /// <summary>Copies a tensor of any device and layout.</summary>
    public static TensorData FromTensor(torch.Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var scope = torch.NewDisposeScope();
        var plain = tensor.detach().cpu().contiguous();
        return Checked(plain.dtype, plain.shape, plain.bytes.ToArray());
    }

    /// <summary>A new tensor on the CPU that owns its memory, aligned as LibTorch aligns (what MKL's results may depend on).</summary>
    public torch.Tensor ToTensor()
    {
        var tensor = torch.empty(Shape, dtype: Type);
        if (!Bytes.IsEmpty)
        {
            Bytes.Span.CopyTo(tensor.bytes);
        }

        return tensor;
    }

    /// <summary>The elements as float32, widened or rounded from any of the floating-point types.</summary>
    /// <exception cref="WeightsException">The elements are no floating-point numbers.</exception>
    public float[] ToSingles()
    {
        var bytes = Bytes.Span;
        switch (Type)
        {
            case torch.ScalarType.Float32:
                return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
            case torch.ScalarType.Float64:
                return Array.ConvertAll(MemoryMarshal.Cast<byte, double>(bytes).ToArray(), value => (float)value);
            case torch.ScalarType.Float16:
                return Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), value => (float)value);
            case torch.ScalarType.BFloat16:
                var values = new float[bytes.Length / 2];
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16);
                }

                return values;
            default:
                throw new WeightsException(
                    $"A tensor of type {Type} holds no floating-point numbers; float16, bfloat16, float32 and float64 do."
                );
        }
    }

    private static TensorData Checked(torch.ScalarType type, long[] shape, byte[] bytes)
    {
        if (TensorTypes.ByteLength(type, shape) != bytes.Length)
        {
            throw new ArgumentException(
                $"The shape [{string.Join(", ", shape)}] of {type} does not hold {bytes.Length} bytes.",
                nameof(shape)
            );
        }

        return new TensorData(type, shape, bytes);
    }
}
