using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Distributed.AdminApi.Predictions;

/// <summary>An answer of the Open Inference Protocol: JSON, and behind it the values of the tensors that were asked for so.</summary>
/// <param name="model">The model.</param>
/// <param name="version">Its version.</param>
/// <param name="id">The sender's id of the request; null for none.</param>
/// <param name="json">How names are written.</param>
internal sealed class InferenceAnswer(string model, string version, string? id, JsonSerializerOptions json) : IResult
{
    private readonly List<Tensor> _tensors = [];
    private readonly ArrayBufferWriter<byte> _binary = new();

    /// <summary>Adds a tensor of numbers.</summary>
    public void Add(WantedOutput output, int[] shape, IReadOnlyList<float> values) =>
        Add(
            output,
            "FP32",
            shape,
            [.. values.Cast<object>()],
            binary =>
            {
                foreach (var value in values)
                {
                    BinaryPrimitives.WriteSingleLittleEndian(binary.GetSpan(sizeof(float)), value);
                    binary.Advance(sizeof(float));
                }
            }
        );

    /// <summary>Adds a tensor of texts; behind the JSON each is its length, 32 bits little-endian, and its bytes in UTF-8.</summary>
    public void Add(WantedOutput output, int[] shape, IReadOnlyList<string> values) =>
        Add(
            output,
            InferenceRequest.BytesType,
            shape,
            values,
            binary =>
            {
                foreach (var value in values)
                {
                    var bytes = Encoding.UTF8.GetBytes(value);
                    BinaryPrimitives.WriteUInt32LittleEndian(binary.GetSpan(sizeof(uint)), (uint)bytes.Length);
                    binary.Advance(sizeof(uint));
                    binary.Write(bytes);
                }
            }
        );

    /// <inheritdoc />
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var response = httpContext.Response;
        var text = JsonSerializer.SerializeToUtf8Bytes(new Message(model, version, id, _tensors), json);
        var hasBinary = _tensors.Exists(tensor => tensor.Data is null);
        response.ContentType = hasBinary ? "application/octet-stream" : "application/json; charset=utf-8";
        if (hasBinary)
        {
            response.Headers[InferenceRequest.HeaderLength] = text.Length.ToString(CultureInfo.InvariantCulture);
        }

        response.ContentLength = text.Length + _binary.WrittenCount;
        await response.Body.WriteAsync(text, httpContext.RequestAborted);
        await response.Body.WriteAsync(_binary.WrittenMemory, httpContext.RequestAborted);
    }

    private void Add(WantedOutput output, string type, int[] shape, IReadOnlyList<object> values, Action<ArrayBufferWriter<byte>> write)
    {
        if (!output.IsBinary)
        {
            _tensors.Add(new Tensor(output.Name, shape, type, null, values));
            return;
        }

        var before = _binary.WrittenCount;
        write(_binary);
        _tensors.Add(new Tensor(output.Name, shape, type, new TensorParameters(_binary.WrittenCount - before), null));
    }

    private sealed record Message(string ModelName, string ModelVersion, string? Id, IReadOnlyList<Tensor> Outputs);

    private sealed record Tensor(
        string Name,
        IReadOnlyList<int> Shape,
        string Datatype,
        TensorParameters? Parameters,
        IReadOnlyList<object>? Data
    );

    private sealed record TensorParameters(int BinaryDataSize);
}
