using System.Globalization;
using System.Text.Json;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Heads;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Export;

/// <summary>Writes networks as ONNX models, for any program that reads them.</summary>
public static class OnnxExport
{
    /// <summary>
    /// Name of a model's input. Of a base: float32 [n, 3, height, width], RGB, normalised as <see cref="IBackbone.Preprocessing"/> says. Of
    /// a
    /// classifier: uint8 [n, size, size, 3], RGB.
    /// </summary>
    public const string InputName = "images";

    /// <summary>Name of the features: float32 [n, <see cref="IBackbone.FeatureSize"/>].</summary>
    public const string OutputName = "features";

    /// <summary>Name of a classifier's probabilities: float32 [n, classes], each row with the sum 1.</summary>
    public const string ProbabilitiesName = "probabilities";

    /// <summary>Writes a base.</summary>
    /// <param name="backbone">Its weights are written in float32, whatever precision it computes in.</param>
    /// <param name="target">Receives the model; not closed.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <exception cref="NotSupportedException">The backbone is no network that this library has the graph of.</exception>
    public static async Task WriteAsync(IBackbone backbone, Stream target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(target);
        var graph = new OnnxGraph(backbone.Name);
        graph.AddInput(InputName, OnnxType.Float, "n", 3, "height", "width");
        graph.AddOutput(OutputName, OnnxType.Float, "n", backbone.FeatureSize);
        OnnxNetwork.AddTo(graph, OnnxFeatureGraph.WeightsOf(backbone), InputName, OutputName);
        await graph.ToModel(Describe(backbone)).CopyToAsync(target, cancellationToken);
    }

    /// <summary>
    /// Writes a classifier in one piece: normalisation of the pixels, base, head and calibrated probabilities. What is left to its user is
    /// to make
    /// images square, of the size given.
    /// </summary>
    /// <param name="backbone">The base.</param>
    /// <param name="head">The head, for the base's features.</param>
    /// <param name="classNames">Names of the classes, in the order of the head's outputs.</param>
    /// <param name="size">Side of the images in pixels.</param>
    /// <param name="metadata">What else is to be known of it, by key.</param>
    /// <param name="target">Receives the model; not closed.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <exception cref="ArgumentException">The head takes another number of features, or there is another number of names.</exception>
    /// <exception cref="NotSupportedException">The backbone is no network that this library has the graph of.</exception>
    public static async Task WriteClassifierAsync(
        IBackbone backbone,
        TrainedHead head,
        IReadOnlyList<string> classNames,
        int size,
        IEnumerable<KeyValuePair<string, string>> metadata,
        Stream target,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(head);
        ArgumentNullException.ThrowIfNull(classNames);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(target);
        if (head.FeatureSize != backbone.FeatureSize || head.Classes != classNames.Count)
        {
            throw new ArgumentException(
                $"The head takes {head.FeatureSize} features and has {head.Classes} classes; the base gives {backbone.FeatureSize}, and {classNames.Count} names were given.",
                nameof(head)
            );
        }

        var graph = new OnnxGraph(backbone.Name);
        graph.AddInput(InputName, OnnxType.UInt8, "n", size, size, 3);
        graph.AddOutput(ProbabilitiesName, OnnxType.Float, "n", head.Classes);
        graph.AddOutput(OutputName, OnnxType.Float, "n", head.FeatureSize);
        OnnxFeatureGraph.AddTo(graph, backbone, InputName, OutputName);
        AddHead(graph, head);
        await graph
            .ToModel([
                .. Describe(backbone),
                new("class_names", JsonSerializer.Serialize(classNames)),
                new("input_size", size.ToString(CultureInfo.InvariantCulture)),
                new("temperature", head.Temperature.ToString("R", CultureInfo.InvariantCulture)),
                .. metadata,
            ])
            .CopyToAsync(target, cancellationToken);
    }

    private static IEnumerable<KeyValuePair<string, string>> Describe(IBackbone backbone) =>
        [
            new("origin", backbone.Origin),
            new("sha256", backbone.Sha256),
            .. backbone is JoinedBackbone
                ? []
                : new KeyValuePair<string, string>[]
                {
                    new("mean", Join(backbone.Preprocessing.Mean)),
                    new("std", Join(backbone.Preprocessing.Std)),
                },
        ];

    private static string Join(float[] numbers) =>
        string.Join(',', numbers.Select(number => number.ToString("R", CultureInfo.InvariantCulture)));

    private static void AddHead(OnnxGraph graph, TrainedHead head)
    {
        var centred = graph.AddNode("Sub", "head.centred", [OutputName, graph.AddTensor("head.mean", head.Mean, head.FeatureSize)]);
        var current = graph.AddNode("Div", "head.standardised", [centred, graph.AddTensor("head.std", head.Std, head.FeatureSize)]);
        var layers = head.Layers;
        for (var i = 0; i < layers.Count; i++)
        {
            var (weight, bias) = layers[i];
            var name = $"head.{i}";
            current = graph.AddNode(
                "Gemm",
                name,
                [
                    current,
                    graph.AddTensor(name + ".weight", weight.Span, bias.Length, weight.Length / bias.Length),
                    graph.AddTensor(name + ".bias", bias.Span, bias.Length),
                ],
                OnnxGraph.Integer("transB", 1)
            );
            current = i < layers.Count - 1 ? graph.AddNode("Relu", name + ".relu", [current]) : current;
        }

        var calibrated = graph.AddNode("Div", "head.calibrated", [current, graph.AddTensor("head.temperature", [(float)head.Temperature])]);
        graph.AddNode("Softmax", ProbabilitiesName, [calibrated], OnnxGraph.Integer("axis", 1));
    }
}
