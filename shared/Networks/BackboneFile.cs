using System.Text.Json;
using System.Text.Json.Serialization;

namespace Distributed.Networks;

/// <summary>The file of bases that an operator adds, and of mirrors: JSON.</summary>
internal sealed record BackboneFile
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>By name of a base, where its file comes from instead: an address, or the path of a file.</summary>
    public IReadOnlyDictionary<string, string> Mirrors { get; init; } = new Dictionary<string, string>();

    /// <summary>Bases beside those of the program.</summary>
    public IReadOnlyList<AddedBackbone> Bases { get; init; } = [];

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It is missing, or is no such file; the message names it and says what is wrong.</exception>
    public static BackboneFile Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<BackboneFile>(File.ReadAllBytes(path), Json)
                ?? throw new InvalidDataException($"{path} holds nothing; it must be a JSON object with bases and mirrors.");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException(
                $"{path} cannot be understood at {exception.Path}, line {exception.LineNumber + 1}: {exception.Message}",
                exception
            );
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{path} cannot be read: {exception.Message}", exception);
        }
    }
}

/// <summary>A base that an operator adds.</summary>
internal sealed record AddedBackbone
{
    /// <summary>The word by which runs name it.</summary>
    public required string Name { get; init; }

    /// <summary>An address, or the path of a file. Its ending says what it is: <c>.onnx</c>, <c>.safetensors</c>, <c>.pth</c>.</summary>
    public required string Url { get; init; }

    /// <summary>SHA-256 of the file; where none is given, that of the first download is demanded ever after.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Of weights that are no ONNX file, the network's name, such as <c>resnet50</c>.</summary>
    public string? Architecture { get; init; }

    /// <summary>Name for people.</summary>
    public string? Title { get; init; }

    /// <summary>One line on what it is good for.</summary>
    public string Description { get; init; } = "Added by an operator";

    /// <summary>What it was trained on.</summary>
    public string TrainedOn { get; init; } = "unknown data";

    /// <summary>SPDX identifier of the licence.</summary>
    public string Licence { get; init; } = "unknown";

    /// <summary>Height and width of the images that it was made for, pixels.</summary>
    public int InputSize { get; init; } = 224;

    /// <summary>Of an ONNX file, the tensor that the features are made of.</summary>
    public string? Output { get; init; }

    /// <summary>Of an ONNX file, means of red, green and blue, counted in [0, 1]; ImageNet's where left out.</summary>
    public float[]? Mean { get; init; }

    /// <summary>Of an ONNX file, standard deviations of red, green and blue; ImageNet's where left out.</summary>
    public float[]? Std { get; init; }

    /// <summary>Of an ONNX file, whether it takes blue before green and red.</summary>
    [JsonPropertyName("bgr")]
    public bool IsBgr { get; init; }
}
