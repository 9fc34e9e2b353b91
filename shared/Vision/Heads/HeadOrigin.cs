using System.Text.Json;
using Distributed.Vision.Engines;

namespace Distributed.Vision.Heads;

/// <summary>
/// What a head is for and was trained on: the file alone says which image to give to which network, and what the answers mean. A function of specification and data, so that equal training gives equal files.
/// </summary>
/// <param name="ClassNames">Names of the classes, in the order of the head's outputs.</param>
/// <param name="Backbone">The network that its features come from, such as <c>densenet121</c>.</param>
/// <param name="BackboneSha256">SHA-256 of that network's weights, see <see cref="IBackbone.Sha256"/>.</param>
/// <param name="Preprocessing">How images are brought to the network's input: size, fit, filter, mean and deviation.</param>
/// <param name="Precision">The arithmetic that the features were computed in: <c>fp32</c>, <c>bf16</c> or <c>fp16</c>.</param>
/// <param name="DatasetSha256">SHA-256 of the data set.</param>
public sealed record HeadOrigin(
    IReadOnlyList<string> ClassNames,
    string Backbone,
    string BackboneSha256,
    string Preprocessing,
    string Precision,
    string DatasetSha256
)
{
    private const string ClassNamesKey = "class_names";

    private static readonly JsonSerializerOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal void AddTo(Dictionary<string, string> metadata, int classes)
    {
        if (ClassNames.Count != classes)
        {
            throw new ArgumentException($"{ClassNames.Count} names are no names of {classes} classes.", nameof(classes));
        }

        metadata.Add(ClassNamesKey, JsonSerializer.Serialize(ClassNames, Readable));
        metadata.Add("backbone", Backbone);
        metadata.Add("backbone_sha256", BackboneSha256);
        metadata.Add("preprocessing", Preprocessing);
        metadata.Add("precision", Precision);
        metadata.Add("dataset_sha256", DatasetSha256);
    }

    /// <summary>Null for a head of the first versions, whose files do not say.</summary>
    internal static HeadOrigin? Read(HeadFile file, int classes)
    {
        if (!file.Has(ClassNamesKey))
        {
            return null;
        }

        var names = file.Parse(
            ClassNamesKey,
            text =>
                JsonSerializer.Deserialize<string[]>(text) is { } read && read.Length == classes && read.All(name => name is not null)
                    ? read
                    : throw new FormatException()
        );
        return new HeadOrigin(
            names,
            file.Text("backbone"),
            file.Text("backbone_sha256"),
            file.Text("preprocessing"),
            file.Text("precision"),
            file.Text("dataset_sha256")
        );
    }
}
