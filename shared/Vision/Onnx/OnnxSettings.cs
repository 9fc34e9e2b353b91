using System.Text.Json;
using System.Text.Json.Serialization;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>The ONNX file of a base.</summary>
/// <param name="FileSha256">Its SHA-256, tensors beside it included, 64 lower-case hexadecimal digits.</param>
/// <param name="Settings">How it is used.</param>
public sealed record OnnxUse(string FileSha256, OnnxSettings Settings);

/// <summary>How a model is used as a base: what a file alone does not say. Every worker gets the same.</summary>
public sealed record OnnxSettings
{
    /// <summary>Joins the class token of a transformer with the mean of its patches.</summary>
    public const string ClassAndPatches = "class+patches";

    /// <summary>Takes a transformer's class token alone.</summary>
    public const string ClassToken = "class";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>
    /// Which numbers the features are: <see cref="ClassToken"/>, <see cref="ClassAndPatches"/>, or the name of a tensor of the model. Where
    /// null, a pooled vector by preference, then the class token, then the mean of a map.
    /// </summary>
    public string? Output { get; init; }

    /// <summary>Means of red, green and blue, counted in [0, 1].</summary>
    public required IReadOnlyList<float> Mean { get; init; }

    /// <summary>Standard deviations of red, green and blue, counted in [0, 1].</summary>
    public required IReadOnlyList<float> Std { get; init; }

    /// <summary>Whether the model takes blue before green and red.</summary>
    public bool IsBgr { get; init; }

    /// <summary>The normalisation.</summary>
    [JsonIgnore]
    public Preprocessing Preprocessing => new([.. Mean], [.. Std], IsBgr);

    /// <summary>Settings with a normalisation.</summary>
    public static OnnxSettings Of(Preprocessing preprocessing, string? output = null)
    {
        ArgumentNullException.ThrowIfNull(preprocessing);
        return new OnnxSettings
        {
            Output = output,
            Mean = preprocessing.Mean,
            Std = preprocessing.Std,
            IsBgr = preprocessing.IsBgr,
        };
    }

    /// <summary>One line of JSON, the same for the same settings.</summary>
    public string Write() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="WeightsException">It is something else.</exception>
    public static OnnxSettings Read(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<OnnxSettings>(json, Json)!;
        }
        catch (JsonException exception)
        {
            throw new WeightsException("The settings of an ONNX base in the catalog cannot be read. Plan the run again.", exception);
        }
    }
}
