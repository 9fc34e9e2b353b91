using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Export;

/// <summary>Writes a base into an ONNX graph from pixels on: its views, the normalisation of each of its networks, and the networks.</summary>
internal static class OnnxFeatureGraph
{
    /// <summary>Adds all of it.</summary>
    /// <param name="graph">Receives nodes and tensors.</param>
    /// <param name="backbone">Its weights are written in float32.</param>
    /// <param name="input">Name of images, uint8 [n, size, size, 3], RGB.</param>
    /// <param name="output">Name that the features get, float32 [n, features].</param>
    /// <exception cref="NotSupportedException">A backbone is no network that this library has the graph of.</exception>
    public static void AddTo(OnnxGraph graph, IBackbone backbone, string input, string output)
    {
        switch (backbone)
        {
            case ViewedBackbone viewed:
                AddViews(graph, viewed, input, output);
                break;
            case JoinedBackbone joined:
                graph.AddNode(
                    "Concat",
                    output,
                    [.. joined.Parts.Select((part, i) => AddNetwork(graph, part, input, $"base{i}.features", $"base{i}."))],
                    OnnxGraph.Integer("axis", 1)
                );
                break;
            default:
                AddNetwork(graph, backbone, input, output, "");
                break;
        }
    }

    /// <summary>The weights of a base that is a network of this library.</summary>
    /// <exception cref="NotSupportedException">It is none.</exception>
    public static BackboneWeights WeightsOf(IBackbone backbone) =>
        backbone is Backbone { Weights: var weights }
            ? weights
            : throw new NotSupportedException(
                $"There is no ONNX export for '{backbone.Name}', only for the networks of this library. Take the base's own file, and the head."
            );

    private static string AddNetwork(OnnxGraph graph, IBackbone backbone, string input, string output, string prefix)
    {
        var weights = WeightsOf(backbone);
        var normalised = prefix + "normalised";
        Normalise(graph, weights.Preprocessing, input, normalised, prefix);
        OnnxNetwork.AddTo(graph, weights, normalised, output, prefix);
        return output;
    }

    /// <summary>All views go through the network as one batch, and its features are averaged.</summary>
    private static void AddViews(OnnxGraph graph, ViewedBackbone backbone, string input, string output)
    {
        var (views, size) = (new List<string>(), backbone.InputSize);
        foreach (var (top, left) in backbone.Views.CropsOf(size))
        {
            var view = input;
            if (size != backbone.Views.SquareOf(size))
            {
                view = Slice($"view{views.Count}", input, [top, left], [top + size, left + size], [1, 2], [1, 1]);
            }

            views.Add(view);
            if (backbone.Views.Flip)
            {
                views.Add(Slice($"view{views.Count}", view, [-1], [long.MinValue], [2], [-1]));
            }
        }

        var all = graph.AddNode("Concat", "views", views, OnnxGraph.Integer("axis", 0));
        AddTo(graph, backbone.Inner, all, "views.features");
        var byView = graph.AddNode(
            "Reshape",
            "views.of",
            ["views.features", graph.AddIntegers("views.shape", views.Count, -1, backbone.FeatureSize)]
        );
        graph.AddNode("ReduceMean", output, [byView], OnnxGraph.Integers("axes", 0), OnnxGraph.Integer("keepdims", 0));

        string Slice(string name, string from, long[] starts, long[] ends, long[] axes, long[] steps) =>
            graph.AddNode(
                "Slice",
                name,
                [
                    from,
                    graph.AddIntegers(name + ".starts", starts),
                    graph.AddIntegers(name + ".ends", ends),
                    graph.AddIntegers(name + ".axes", axes),
                    graph.AddIntegers(name + ".steps", steps),
                ]
            );
    }

    /// <summary>Bytes by row, column and channel become numbers by channel, row and column: (value / 255 - mean) / deviation.</summary>
    private static void Normalise(OnnxGraph graph, Preprocessing preprocessing, string input, string output, string prefix)
    {
        float[] scale = [.. preprocessing.Std.Select(std => (float)(1 / (255.0 * std)))];
        float[] shift = [.. preprocessing.Mean.Zip(preprocessing.Std, (mean, std) => (float)(-(double)mean / std))];
        var numbers = graph.AddNode("Cast", prefix + "pixels", [input], OnnxGraph.Integer("to", (int)OnnxType.Float));
        var channels = graph.AddNode("Transpose", prefix + "channels", [numbers], OnnxGraph.Integers("perm", 0, 3, 1, 2));
        var scaled = graph.AddNode(
            "Mul",
            prefix + "scaled",
            [channels, graph.AddTensor(prefix + "preprocessing.scale", scale, 1, 3, 1, 1)]
        );
        graph.AddNode("Add", output, [scaled, graph.AddTensor(prefix + "preprocessing.shift", shift, 1, 3, 1, 1)]);
    }
}
