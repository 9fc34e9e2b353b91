using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace Distributed.Vision.Weights;

/// <summary>Writes safetensors files: the same tensors and metadata always give the same bytes.</summary>
/// <remarks>
/// As in the format's reference implementation, wide types come first, so that every tensor is aligned to its element
/// size; among equals the names are in ordinal order, metadata keys too, and the header is padded to 8 bytes with spaces.
/// </remarks>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>Writes a file to a stream, front to back.</summary>
    /// <param name="stream">Where to; it is not closed.</param>
    /// <param name="tensors">Tensors by name.</param>
    /// <param name="metadata">What stands under <c>__metadata__</c>, if anything.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <exception cref="ArgumentException">A tensor is named <c>__metadata__</c> or its bytes do not fit its shape.</exception>
    public static async Task WriteAsync(
        Stream stream,
        IReadOnlyDictionary<string, TensorData> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(stream);
        var ordered = Order(tensors);
        await stream.WriteAsync(Header(ordered, metadata), cancellationToken);
        foreach (var (_, tensor) in ordered)
        {
            await stream.WriteAsync(tensor.Bytes, cancellationToken);
        }
    }

    /// <summary>The bytes of a small file.</summary>
    /// <inheritdoc cref="WriteAsync"/>
    public static byte[] ToBytes(IReadOnlyDictionary<string, TensorData> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var ordered = Order(tensors);
        using var stream = new MemoryStream();
        stream.Write(Header(ordered, metadata).Span);
        foreach (var (_, tensor) in ordered)
        {
            stream.Write(tensor.Bytes.Span);
        }

        return stream.ToArray();
    }

    private static KeyValuePair<string, TensorData>[] Order(IReadOnlyDictionary<string, TensorData> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        foreach (var (name, tensor) in tensors)
        {
            if (name == SafetensorsHeader.MetadataKey)
            {
                throw new ArgumentException($"No tensor may be named '{name}': the format keeps that name for itself.", nameof(tensors));
            }

            if (TensorTypes.ByteLength(tensor.Type, tensor.Shape) != tensor.Bytes.Length)
            {
                throw new ArgumentException(
                    $"The tensor '{name}' of shape [{string.Join(", ", tensor.Shape)}] and type {tensor.Type} has "
                        + $"{tensor.Bytes.Length} bytes.",
                    nameof(tensors)
                );
            }
        }

        return
        [
            .. tensors.OrderByDescending(pair => TensorTypes.ElementSize(pair.Value.Type)).ThenBy(pair => pair.Key, StringComparer.Ordinal),
        ];
    }

    private static ReadOnlyMemory<byte> Header(KeyValuePair<string, TensorData>[] ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        BinaryPrimitives.WriteUInt64LittleEndian(buffer.GetSpan(SafetensorsHeader.PrefixLength), 0);
        buffer.Advance(SafetensorsHeader.PrefixLength);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(SafetensorsHeader.MetadataKey);
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            var offset = 0L;
            foreach (var (name, tensor) in ordered)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", TensorTypes.Name(tensor.Type));
                WriteIntegers(json, "shape", tensor.Shape);
                WriteIntegers(json, "data_offsets", [offset, offset + tensor.Bytes.Length]);
                json.WriteEndObject();
                offset += tensor.Bytes.Length;
            }

            json.WriteEndObject();
        }

        var padding = (Alignment - (buffer.WrittenCount % Alignment)) % Alignment;
        buffer.GetSpan(Alignment)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        var header = buffer.WrittenMemory.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - SafetensorsHeader.PrefixLength));
        return header;
    }

    private static void WriteIntegers(Utf8JsonWriter json, string name, ReadOnlySpan<long> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
