using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>Reads and checks the header of a safetensors file, in memory bounded by the header's length.</summary>
/// <remarks>Rules: https://github.com/huggingface/safetensors, "Format", and the checks of its Rust reader.</remarks>
internal static class SafetensorsHeader
{
    /// <summary>Bytes of the header's length that stand before it.</summary>
    public const int PrefixLength = 8;

    /// <summary>The longest header that the format's reference implementation accepts, bytes.</summary>
    public const long LongestHeader = 100_000_000;

    public const string MetadataKey = "__metadata__";

    public static int ReadLength(ReadOnlySpan<byte> prefix, long fileLength, string source)
    {
        var length = prefix.Length < PrefixLength ? ulong.MaxValue : BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > LongestHeader || (long)length > fileLength - PrefixLength)
        {
            throw new WeightsException(
                $"{source} is no safetensors file, or is cut off: of {fileLength} bytes, its header would be {length} (at most "
                    + $"{LongestHeader})."
            );
        }

        return (int)length;
    }

    public static (SortedDictionary<string, string> Metadata, SortedDictionary<string, SafetensorsEntry> Tensors) Parse(
        ReadOnlySpan<byte> header,
        long dataLength,
        string source
    )
    {
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var tensors = new SortedDictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        try
        {
            var json = new Utf8JsonReader(header);
            Expect(ref json, JsonTokenType.StartObject, "the header");
            var hasMetadata = false;
            while (NextName(ref json, "the header") is { } name)
            {
                if (name != MetadataKey)
                {
                    if (!tensors.TryAdd(name, ReadEntry(ref json, name)))
                    {
                        throw new WeightsException($"the name '{name}' occurs twice");
                    }
                }
                else if (hasMetadata)
                {
                    throw new WeightsException($"the name '{MetadataKey}' occurs twice");
                }
                else
                {
                    hasMetadata = true;
                    ReadMetadata(ref json, metadata);
                }
            }

            if (json.Read())
            {
                throw new WeightsException("something follows the header's object");
            }

            CheckRanges(tensors.Values, dataLength);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException)
        {
            throw new WeightsException($"The header of {source} is damaged: {failure.Message}", failure);
        }
        catch (WeightsException failure)
        {
            throw new WeightsException($"The header of {source} is damaged: {failure.Message}.", failure);
        }

        return (metadata, tensors);
    }

    private static void ReadMetadata(ref Utf8JsonReader json, SortedDictionary<string, string> metadata)
    {
        Expect(ref json, JsonTokenType.StartObject, MetadataKey);
        while (NextName(ref json, MetadataKey) is { } key)
        {
            Expect(ref json, JsonTokenType.String, $"{MetadataKey}.{key}");
            if (!metadata.TryAdd(key, json.GetString()!))
            {
                throw new WeightsException($"the name '{MetadataKey}.{key}' occurs twice");
            }
        }
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader json, string name)
    {
        string? type = null;
        List<long>? shape = null;
        List<long>? offsets = null;
        Expect(ref json, JsonTokenType.StartObject, name);
        while (NextName(ref json, name) is { } field)
        {
            switch (field)
            {
                case "dtype" when type is null:
                    Expect(ref json, JsonTokenType.String, $"{name}.dtype");
                    type = json.GetString();
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(ref json, $"{name}.shape", TensorTypes.HighestRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(ref json, $"{name}.data_offsets", 2);
                    break;
                default:
                    throw new WeightsException($"'{name}' has a second or unknown field '{field}'");
            }
        }

        if (type is null || shape is null || offsets is not [var begin, var end])
        {
            throw new WeightsException($"'{name}' lacks one of dtype, shape and two data_offsets");
        }

        if (TensorTypes.ByName(type) is not { } known)
        {
            throw new WeightsException($"'{name}' is of type '{type}'; these can be read: {TensorTypes.Names}");
        }

        var length = TensorTypes.ByteLength(known, [.. shape]);
        if (length < 0 || end - begin != length)
        {
            throw new WeightsException(
                $"'{name}' of shape [{string.Join(", ", shape)}] and type {type} cannot lie at bytes {begin} to {end}"
            );
        }

        return new SafetensorsEntry(name, known, [.. shape], begin, end);
    }

    private static List<long> ReadIntegers(ref Utf8JsonReader json, string where, int most)
    {
        var values = new List<long>();
        Expect(ref json, JsonTokenType.StartArray, where);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out var value) || value < 0 || values.Count == most)
            {
                throw new WeightsException($"'{where}' is no list of at most {most} non-negative integers");
            }

            values.Add(value);
        }

        return values;
    }

    private static void CheckRanges(IEnumerable<SafetensorsEntry> entries, long dataLength)
    {
        var reached = 0L;
        foreach (var entry in entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != reached)
            {
                throw new WeightsException(
                    $"'{entry.Name}' begins at byte {entry.Begin}, where {reached} is the end of what lies before it"
                );
            }

            reached = entry.End;
        }

        if (reached != dataLength)
        {
            throw new WeightsException($"the tensors end at byte {reached}, the data at {dataLength}; the file is cut off or has a tail");
        }
    }

    private static string? NextName(ref Utf8JsonReader json, string where)
    {
        if (!json.Read() || json.TokenType is not (JsonTokenType.PropertyName or JsonTokenType.EndObject))
        {
            throw new WeightsException($"{where} is no object");
        }

        return json.TokenType == JsonTokenType.EndObject ? null : json.GetString();
    }

    private static void Expect(ref Utf8JsonReader json, JsonTokenType type, string where)
    {
        if (!json.Read() || json.TokenType != type)
        {
            throw new WeightsException($"'{where}' is {json.TokenType}, not {type}");
        }
    }
}
