using Distributed.Networks;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>Computes a graph by LibTorch's operators, layer by layer.</summary>
/// <param name="graph">The layers.</param>
/// <param name="places">Where outputs are to lie, of <see cref="NetworkGraph.Places"/>; without places, gradients can be computed.</param>
/// <param name="weighted">Computes a layer that has weights, from its input.</param>
internal sealed class GraphInterpreter(NetworkGraph graph, IReadOnlyDictionary<Layer, Place> places, Func<Layer, Tensor, Tensor> weighted)
{
    /// <summary>Normalised images [n, 3, height, width] to features [n, d]. What nobody reads any more is freed on the way.</summary>
    public Tensor Run(Tensor images)
    {
        using var scope = NewDisposeScope();
        var outputs = new Dictionary<Layer, Tensor>();
        var blocks = new Dictionary<Layer, Tensor>();
        var unread = graph.Layers.ToDictionary(layer => layer, graph.ReadersOf);
        foreach (var layer in graph.Layers)
        {
            Tensor[] inputs = [.. layer.Inputs.Select(input => outputs[input])];
            outputs.Add(
                layer,
                layer.Operation switch
                {
                    Images => images.alias(),
                    Concatenation when places.TryGetValue(layer, out var place) => Join(layer, place, inputs, blocks),
                    _ => Settle(layer, Compute(layer, inputs), blocks),
                }
            );
            // What was changed in place is the layer's own output now.
            foreach (var input in layer.Inputs.Where(input => --unread[input] == 0 && !ReferenceEquals(outputs[input], outputs[layer])))
            {
                outputs[input].Dispose();
            }
        }

        return outputs[graph.Output].MoveToOuterDisposeScope();
    }

    private Tensor Compute(Layer layer, Tensor[] inputs) =>
        layer.Operation switch
        {
            Rectifier => MayChange(layer.Inputs[0]) ? inputs[0].relu_() : inputs[0].relu(),
            MaxPooling pooling => nn.functional.max_pool2d(inputs[0], pooling.Window, pooling.Stride, pooling.Padding),
            AveragePooling pooling => nn.functional.avg_pool2d(inputs[0], pooling.Window),
            GlobalAverage => inputs[0].mean([2, 3], type: ScalarType.Float32),
            Concatenation => cat(inputs, 1),
            Addition => inputs[1..].Aggregate(inputs[0], (sum, input) => sum + input),
            _ => weighted(layer, inputs[0]),
        };

    /// <summary>Whether nobody else reads a layer's output, which is no part of another's memory.</summary>
    private bool MayChange(Layer layer) =>
        layer.Operation is Convolution or Normalization or Scaling or Addition or Dense
        && graph.ReadersOf(layer) == 1
        && !places.ContainsKey(layer);

    /// <summary>Writes an output to its place, if it has one.</summary>
    private Tensor Settle(Layer layer, Tensor output, Dictionary<Layer, Tensor> blocks)
    {
        if (!places.TryGetValue(layer, out var place))
        {
            return output;
        }

        using (output)
        {
            return Slice(place, layer, output, blocks).copy_(output);
        }
    }

    /// <summary>The channels that inputs were written to; those that have their place elsewhere are copied.</summary>
    private Tensor Join(Layer layer, Place place, Tensor[] inputs, Dictionary<Layer, Tensor> blocks)
    {
        var channel = place.Channel;
        foreach (var (input, output) in layer.Inputs.Zip(inputs))
        {
            var wanted = place with { Channel = channel };
            if (places[input] != wanted)
            {
                using var copy = Slice(wanted, input, output, blocks).copy_(output);
            }

            channel += input.Channels;
        }

        return Slice(place, layer, inputs[0], blocks);
    }

    /// <param name="place">Where the channels are.</param>
    /// <param name="layer">Whose channels they are.</param>
    /// <param name="like">An output of the same count, height, width, type and device.</param>
    /// <param name="blocks">The buffers so far, channels last in memory, for which LibTorch has the faster operators.</param>
    private static Tensor Slice(Place place, Layer layer, Tensor like, Dictionary<Layer, Tensor> blocks)
    {
        if (!blocks.TryGetValue(place.Block, out var block))
        {
            var shape = like.shape;
            block = empty([shape[0], shape[2], shape[3], place.Block.Channels], dtype: like.dtype, device: like.device).permute(0, 3, 1, 2);
            blocks.Add(place.Block, block);
        }

        return block.narrow(1, place.Channel, layer.Channels);
    }
}
