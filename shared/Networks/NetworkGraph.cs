namespace Distributed.Networks;

/// <summary>Where a layer's output lies: channels of the buffer of a concatenation.</summary>
/// <param name="Block">The concatenation.</param>
/// <param name="Channel">The first of its channels.</param>
public sealed record Place(Layer Block, int Channel);

/// <summary>The layers of a network, each behind those that it reads.</summary>
public sealed class NetworkGraph
{
    private static readonly string[] NormParts = ["weight", "bias", "running_mean", "running_var"];

    private readonly Dictionary<Layer, int> _readers = [];
    private readonly List<Layer> _layers = [];

    /// <summary>Collects all that a layer depends on.</summary>
    /// <param name="output">The last layer; it gives [n, channels].</param>
    public NetworkGraph(Layer output)
    {
        Output = output;
        Add(output);

        void Add(Layer layer)
        {
            if (_readers.TryAdd(layer, 0))
            {
                foreach (var input in layer.Inputs)
                {
                    Add(input);
                    _readers[input]++;
                }

                _layers.Add(layer);
            }
        }
    }

    /// <summary>The last layer, whose output the features are.</summary>
    public Layer Output { get; }

    /// <summary>In an order in which they can be computed.</summary>
    public IReadOnlyList<Layer> Layers => _layers;

    /// <summary>Shapes of all weights by name, in the order of the layers; of a graph that is not <see cref="Folded"/>.</summary>
    public IReadOnlyDictionary<string, long[]> TensorShapes
    {
        get
        {
            var shapes = new Dictionary<string, long[]>();
            foreach (var layer in _layers)
            {
                switch (layer.Operation)
                {
                    case Convolution(var outputs, var window, _):
                        shapes.Add(layer.Name + ".weight", [outputs, layer.Inputs[0].Channels, window, window]);
                        break;
                    case Dense(var outputs):
                        shapes.Add(layer.Name + ".weight", [outputs, layer.Inputs[0].Channels]);
                        shapes.Add(layer.Name + ".bias", [outputs]);
                        break;
                    case Normalization:
                        Array.ForEach(NormParts, part => shapes.Add($"{layer.Name}.{part}", [layer.Channels]));
                        break;
                }
            }

            return shapes;
        }
    }

    /// <summary>How many inputs of layers a layer is.</summary>
    public int ReadersOf(Layer layer) => _readers[layer];

    /// <summary>
    /// The same function with less work, for extraction: normalisations behind a convolution are folded into its weights, the others
    /// scale with fixed statistics, and what is averaged behind a 1×1 convolution is averaged before it, since the two commute.
    /// </summary>
    public NetworkGraph Folded() =>
        Rewrite(
                (graph, layer, inputs) =>
                    layer switch
                    {
                        { Operation: Normalization, Inputs: [{ Operation: Convolution } before] } when graph.ReadersOf(before) == 1 =>
                            new Layer(before.Name, (Convolution)before.Operation with { Norm = layer.Name }, [.. inputs[0].Inputs]),
                        { Operation: Normalization } => new Layer(layer.Name, new Scaling(), inputs),
                        _ => null,
                    }
            )
            .Rewrite(
                (graph, layer, inputs) =>
                    layer is { Operation: AveragePooling, Inputs: [{ Operation: Convolution { Window: 1, Stride: 1 } } before] }
                    && graph.ReadersOf(before) == 1
                        ? inputs[0].Inputs[0].Then(layer.Name, layer.Operation).Then(before.Name, before.Operation)
                        : null
            );

    /// <summary>
    /// Where layers can write so that nothing is copied to be joined: concatenations that end in another share its buffer, and what they
    /// join is written into its channels. What is joined twice has the place of the last concatenation alone.
    /// </summary>
    public IReadOnlyDictionary<Layer, Place> Places()
    {
        var places = new Dictionary<Layer, Place>();
        // Means are short, and are joined by copying them.
        foreach (
            var block in _layers
                .AsEnumerable()
                .Reverse()
                .Where(layer => layer is { Operation: Concatenation, Inputs: [{ Operation: not GlobalAverage }, ..] })
        )
        {
            Put(block, new Place(block, 0));
        }

        return places;

        void Put(Layer layer, Place place)
        {
            if (places.TryAdd(layer, place) && layer.Operation is Concatenation)
            {
                var channel = place.Channel;
                foreach (var input in layer.Inputs)
                {
                    Put(input, place with { Channel = channel });
                    channel += input.Channels;
                }
            }
        }
    }

    private NetworkGraph Rewrite(Func<NetworkGraph, Layer, Layer[], Layer?> rewrite)
    {
        var rewritten = new Dictionary<Layer, Layer>();
        foreach (var layer in _layers)
        {
            Layer[] inputs = [.. layer.Inputs.Select(input => rewritten[input])];
            rewritten.Add(layer, rewrite(this, layer, inputs) ?? new Layer(layer.Name, layer.Operation, inputs));
        }

        return new NetworkGraph(rewritten[Output]);
    }
}
