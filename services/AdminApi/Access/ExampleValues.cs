using System.Text.Json.Nodes;

namespace Distributed.AdminApi.Access;

/// <summary>What stands in the examples of the API's description.</summary>
internal static class ExampleValues
{
    private const string Run = "0199b3c4-7d2e-7a10-9f55-2b8c1d4e6f70";
    private const string Hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    private static readonly Dictionary<string, string> Schemas = new(StringComparer.Ordinal)
    {
        ["RunSpecification"] = """{"name": "flowers", "dataset": "/data/flowers", "backbone": "imagenet", "tags": ["shop"]}""",
        ["RunLabels"] = """{"name": "flowers, best so far", "tags": ["shop", "best"], "note": "for the shop's new pages"}""",
    };

    /// <summary>By the name of a field, as JSON.</summary>
    private static readonly Dictionary<string, string> Fields = new(StringComparer.Ordinal)
    {
        ["runId"] = $"\"{Run}\"",
        ["name"] = "\"flowers\"",
        ["tag"] = "\"shop\"",
        ["note"] = "\"for the shop's new pages\"",
        ["submitter"] = "\"anna\"",
        ["submittedAt"] = "\"2026-01-02T12:00:00Z\"",
        ["createdAt"] = "\"2026-01-02T12:00:00Z\"",
        ["changedAt"] = "\"2026-01-02T12:05:00Z\"",
        ["finishedAt"] = "\"2026-01-02T12:00:41Z\"",
        ["at"] = "\"2026-01-02T12:00:00Z\"",
        ["changedBy"] = "\"anna\"",
        ["createdBy"] = "\"anna\"",
        ["by"] = "\"anna\"",
        ["actor"] = "\"anna\"",
        ["subject"] = $"\"{Run}\"",
        ["state"] = "\"completed\"",
        ["stage"] = "\"feature shards extracted\"",
        ["done"] = "7",
        ["total"] = "12",
        ["dataset"] = "\"/data/flowers\"",
        ["datasetName"] = "\"flowers\"",
        ["datasetSha256"] = $"\"{Hash}\"",
        ["sha256"] = $"\"{Hash}\"",
        ["headSha256"] = $"\"{Hash}\"",
        ["featureSetKey"] = $"\"{Hash}\"",
        ["source"] = "\"/data/flowers\"",
        ["base"] = "\"imagenet\"",
        ["backbone"] = "\"DenseNet-121, ImageNet (torchvision)\"",
        ["head"] = "\"linear\"",
        ["model"] = "\"flowers\"",
        ["alias"] = "\"champion\"",
        ["version"] = "3",
        ["number"] = "3",
        ["versions"] = "3",
        ["description"] = "\"Which flower a photo shows\"",
        ["reason"] = "\"better on the shop's own photos\"",
        ["confidence"] = "0.95",
        ["testAccuracy"] = "0.947",
        ["testAccuracyLow"] = "0.926",
        ["testAccuracyHigh"] = "0.962",
        ["testLoss"] = "0.171",
        ["macroF1"] = "0.944",
        ["topKAccuracy"] = "0.996",
        ["calibrationError"] = "0.013",
        ["uncalibratedError"] = "0.041",
        ["temperature"] = "1.31",
        ["value"] = "0.947",
        ["low"] = "0.926",
        ["high"] = "0.962",
        ["pValue"] = "0.0127",
        ["images"] = "600",
        ["testImages"] = "600",
        ["trainImages"] = "2160",
        ["validationImages"] = "240",
        ["firstRight"] = "568",
        ["secondRight"] = "553",
        ["firstOnly"] = "24",
        ["secondOnly"] = "9",
        ["className"] = "\"tulip\"",
        ["actual"] = "\"tulip\"",
        ["predicted"] = "\"rose\"",
        ["suggested"] = "\"rose\"",
        ["class"] = "\"tulip\"",
        ["isRight"] = "false",
        ["probability"] = "0.83",
        ["actualProbability"] = "0.14",
        ["classProbability"] = "0.14",
        ["suggestedProbability"] = "0.83",
        ["similarity"] = "0.981",
        ["correlation"] = "0.963",
        ["split"] = "\"test\"",
        ["index"] = "417",
        ["label"] = "4",
        ["imbalance"] = "1.8",
        ["detail"] = "\"a HEIC image\"",
        ["advice"] = "\"convert them to JPEG or PNG\"",
        ["query"] = "\"?where=accuracy%3E%3D0.9&sort=-accuracy\"",
        ["column"] = "\"accuracy\"",
        ["field"] = "\"training.learningRate\"",
        ["operator"] = "\">=\"",
        ["ingest"] = "3.1",
        ["features"] = "31.4",
        ["train"] = "1.2",
        ["evaluate"] = "0.9",
        ["traceId"] = "\"4bf92f3577b34da6a3ce929d0e0e4736\"",
        ["url"] = "\"https://example.org/tulip.jpg\"",
        ["image"] = "\"tulip-0042.jpg\"",
    };

    /// <summary>The example of a whole schema; null where it is made from its members.</summary>
    public static JsonNode? OfSchema(string schema) => Schemas.TryGetValue(schema, out var json) ? JsonNode.Parse(json) : null;

    /// <summary>What a field holds; null where its schema says enough.</summary>
    public static JsonNode? OfField(string name) => Fields.TryGetValue(name, out var json) ? JsonNode.Parse(json) : null;

    /// <summary>A text of a format.</summary>
    public static JsonNode OfFormat(string? format) =>
        format switch
        {
            "uuid" => Run,
            "date-time" => "2026-01-02T12:00:00Z",
            "uri" => "https://example.org/",
            _ => "…",
        };
}
