using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Distributed.AdminApi.Predictions;

/// <summary>A request of the Open Inference Protocol cannot be understood; the message says what is wrong.</summary>
internal sealed class InvalidInferenceException(string message) : Exception(message);

/// <summary>What a request of the Open Inference Protocol asks for.</summary>
/// <param name="Id">The sender's id of it, to be sent back; null for none.</param>
/// <param name="Images">Image files, or the pixels of images.</param>
/// <param name="ArePixels">Whether they are pixels: size × size × 3 bytes each, RGB, row by row.</param>
/// <param name="Outputs">The tensors to answer with, in their order.</param>
internal sealed record InferenceRequest(string? Id, IReadOnlyList<byte[]> Images, bool ArePixels, IReadOnlyList<WantedOutput> Outputs)
{
    /// <summary>Name of the output with the probabilities of all classes.</summary>
    public const string ProbabilitiesName = "probabilities";

    /// <summary>Name of the output with the most probable class.</summary>
    public const string LabelsName = "labels";

    /// <summary>Name of the input that takes image files.</summary>
    public const string ImagesName = "images";

    /// <summary>Name of the input that takes pixels.</summary>
    public const string PixelsName = "pixels";

    /// <summary>Type of texts and of files.</summary>
    public const string BytesType = "BYTES";

    /// <summary>Type of pixels.</summary>
    public const string PixelType = "UINT8";

    /// <summary>Says how much of the body is JSON; behind it are the values of tensors (the extension "binary tensor data").</summary>
    public const string HeaderLength = "Inference-Header-Content-Length";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.Strict,
    };

    /// <summary>Reads a request.</summary>
    /// <param name="body">The body.</param>
    /// <param name="headerLength">How many of its bytes are JSON; null for all.</param>
    /// <param name="size">Side of the model's images in pixels.</param>
    /// <exception cref="InvalidInferenceException">It is none that this model takes.</exception>
    public static InferenceRequest Read(ReadOnlyMemory<byte> body, string? headerLength, int size)
    {
        var length = body.Length;
        if (
            headerLength is not null
            && (!int.TryParse(headerLength, NumberStyles.None, CultureInfo.InvariantCulture, out length) || length > body.Length)
        )
        {
            throw new InvalidInferenceException(
                $"{HeaderLength} is '{headerLength}'; it must be the number of bytes of the JSON, at most the {body.Length} of the body."
            );
        }

        Message message;
        try
        {
            message = JsonSerializer.Deserialize<Message>(body.Span[..length], Json)!;
        }
        catch (JsonException exception)
        {
            throw new InvalidInferenceException($"The request is no JSON of the protocol: {exception.Message}");
        }

        if (message?.Inputs is not [{ } input])
        {
            throw new InvalidInferenceException(
                $"The request must have one input: '{ImagesName}' with image files, or '{PixelsName}' with pixels."
            );
        }

        var binary = body[length..];
        var outputs = ReadOutputs(message);
        return (input.Name, input.Datatype) switch
        {
            (ImagesName, BytesType) => new(message.Id, ReadFiles(input, binary.Span), ArePixels: false, outputs),
            (PixelsName, PixelType) => new(message.Id, ReadPixels(input, binary.Span, size), ArePixels: true, outputs),
            _ => throw new InvalidInferenceException(
                $"The input '{input.Name}' of {input.Datatype} is none of this model's: it takes '{ImagesName}' of {BytesType}, or '{PixelsName}' of {PixelType}."
            ),
        };
    }

    /// <summary>All outputs where none is named; as JSON where nothing says that they are wanted behind it.</summary>
    private static IReadOnlyList<WantedOutput> ReadOutputs(Message message)
    {
        string[] known = [ProbabilitiesName, LabelsName];
        var isBinary = message.Parameters?.BinaryDataOutput ?? false;
        if (message.Outputs is not { Count: > 0 } outputs)
        {
            return [.. known.Select(name => new WantedOutput(name, isBinary))];
        }

        return outputs.FirstOrDefault(output => !known.Contains(output.Name)) is { } unknown
            ? throw new InvalidInferenceException(
                $"The output '{unknown.Name}' is none of this model's: it gives '{ProbabilitiesName}' and '{LabelsName}'."
            )
            : [.. outputs.Select(output => new WantedOutput(output.Name!, output.Parameters?.BinaryData ?? isBinary))];
    }

    private static List<byte[]> ReadFiles(Tensor input, ReadOnlySpan<byte> binary)
    {
        var count = input.Shape switch
        {
            [var images] => images,
            [var images, 1] => images,
            _ => throw WrongShape(input, "[n]"),
        };
        var files = new List<byte[]>();
        if (input.Data is { } data)
        {
            foreach (var text in Flatten(data))
            {
                files.Add(
                    text.ValueKind == JsonValueKind.String && text.TryGetBytesFromBase64(out var file)
                        ? file
                        : throw new InvalidInferenceException(
                            $"'{ImagesName}' must hold image files in Base64; element {files.Count} is none. Without Base64 they go behind the JSON ({HeaderLength})."
                        )
                );
            }
        }
        else
        {
            // Each element is its length, 32 bits little-endian, and its bytes.
            while (binary.Length >= sizeof(uint))
            {
                var size = BinaryPrimitives.ReadUInt32LittleEndian(binary);
                binary = binary[sizeof(uint)..];
                if (size > binary.Length)
                {
                    break;
                }

                files.Add(binary[..(int)size].ToArray());
                binary = binary[(int)size..];
            }

            if (!binary.IsEmpty)
            {
                throw new InvalidInferenceException($"The bytes of '{ImagesName}' behind the JSON end within an element.");
            }
        }

        return files.Count == count
            ? files
            : throw new InvalidInferenceException($"'{ImagesName}' has the shape [{count}], and {files.Count} elements.");
    }

    private static IReadOnlyList<byte[]> ReadPixels(Tensor input, ReadOnlySpan<byte> binary, int size)
    {
        if (input.Shape is not [var count, var height, var width, 3] || height != size || width != size || count < 0)
        {
            throw WrongShape(input, $"[n, {size}, {size}, 3]");
        }

        var length = size * size * 3;
        byte[] pixels;
        if (input.Data is { } data)
        {
            pixels = [.. Flatten(data).Select(Pixel)];
        }
        else
        {
            pixels = binary.ToArray();
        }

        return pixels.Length == (long)count * length
            ? [.. pixels.Chunk(length)]
            : throw new InvalidInferenceException(
                $"'{PixelsName}' has the shape [{string.Join(", ", input.Shape)}], and {pixels.Length} values."
            );
    }

    private static byte Pixel(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetByte(out var pixel)
            ? pixel
            : throw new InvalidInferenceException($"'{PixelsName}' must hold whole numbers from 0 to 255, and not {value}.");

    /// <summary>Tensors may be nested as their shape is, or flat.</summary>
    private static IEnumerable<JsonElement> Flatten(JsonElement data) =>
        data.ValueKind == JsonValueKind.Array ? data.EnumerateArray().SelectMany(Flatten) : [data];

    private static InvalidInferenceException WrongShape(Tensor input, string shape) =>
        new($"'{input.Name}' has the shape [{string.Join(", ", input.Shape ?? [])}]; it must be {shape}.");

    private sealed record Message(string? Id, IReadOnlyList<Tensor>? Inputs, IReadOnlyList<Output>? Outputs, MessageParameters? Parameters);

    private sealed record MessageParameters(bool? BinaryDataOutput);

    private sealed record Output(string? Name, OutputParameters? Parameters);

    private sealed record OutputParameters(bool? BinaryData);

    private sealed record Tensor(string? Name, string? Datatype, IReadOnlyList<int>? Shape, JsonElement? Data);
}

/// <summary>A tensor to answer with.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsBinary">Whether its values are to stand behind the JSON.</param>
internal sealed record WantedOutput(string Name, bool IsBinary);
