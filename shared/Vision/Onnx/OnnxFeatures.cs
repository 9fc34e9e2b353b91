using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>Which tensor of a model the features are made of.</summary>
/// <param name="Tensor">Its name.</param>
/// <param name="Note">How it was chosen, for people; null where that is plain.</param>
internal sealed record OnnxFeatures(string Tensor, string? Note)
{
    private const int MostNamesInAnError = 10;

    /// <summary>What exporters call a vector that stands for a whole image.</summary>
    private static readonly string[] PooledNames =
    [
        "pooler_output",
        "image_embeds",
        "image_embeddings",
        "image_features",
        "embeddings",
        "embedding",
        "features",
        "pooled",
    ];

    /// <summary>Chooses it.</summary>
    /// <param name="file">The model.</param>
    /// <param name="asked">Of <see cref="OnnxSettings.Output"/>.</param>
    /// <exception cref="WeightsException">The model has no such tensor.</exception>
    public static OnnxFeatures Choose(OnnxFile file, string? asked)
    {
        if (asked is OnnxSettings.ClassToken or OnnxSettings.ClassAndPatches)
        {
            return file.Outputs.FirstOrDefault(output => output.Shape?.Count == 3) is { } tokens
                ? new OnnxFeatures(tokens.Name, null)
                : throw new WeightsException(
                    $"{file.Source} has no output [batch, tokens, width] to take the {asked} of; its outputs are {Names(file)}. Name one of them, or leave the output out."
                );
        }

        if (asked is not null)
        {
            return file.Has(asked)
                ? new OnnxFeatures(asked, null)
                : throw new WeightsException(
                    $"{file.Source} has no tensor '{asked}'; its outputs are {Names(file)}. Name one of them or an inner one, or leave the output out."
                );
        }

        var vectors = file.Outputs.Where(output => output.Shape is { Count: 2 }).ToList();
        if (vectors.FirstOrDefault(output => PooledNames.Contains(output.Name)) is { } pooled)
        {
            return new OnnxFeatures(pooled.Name, null);
        }

        if (vectors is [var vector, ..])
        {
            return ClassifierInput(file, vector.Name) is { } before
                ? new OnnxFeatures(before, $"the classifier of '{vector.Name}' is removed")
                : new OnnxFeatures(vector.Name, null);
        }

        var chosen = file.Outputs.FirstOrDefault(output => output.Shape is { Count: 3 }) ?? file.Outputs[0];
        return new OnnxFeatures(chosen.Name, null);
    }

    /// <summary>What a matrix product at the end of a model reads: the product is a classifier's.</summary>
    private static string? ClassifierInput(OnnxFile file, string output)
    {
        var node = file.ProducerOf(output);
        while (node is { Operation: "Softmax" or "Identity" or "Sigmoid", Inputs: [var before, ..] })
        {
            node = file.ProducerOf(before);
        }

        if (node is { Operation: "Add", Inputs: [var left, var right] })
        {
            node =
                file.Fixed(right) is not null ? file.ProducerOf(left)
                : file.Fixed(left) is not null ? file.ProducerOf(right)
                : null;
        }

        return node is { Operation: "Gemm" or "MatMul", Inputs: [var features, var matrix, ..] } && file.Fixed(matrix) is not null
            ? features
            : null;
    }

    private static string Names(OnnxFile file) =>
        string.Join(
            ", ",
            file.Outputs.Take(MostNamesInAnError)
                .Select(output =>
                    $"'{output.Name}' [{string.Join(", ", output.Shape?.Select(extent => extent?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?") ?? ["?"])}]"
                )
        );
}
