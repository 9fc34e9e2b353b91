using Distributed.Networks;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>A network for extraction alone, by LibTorch's operators on any device: folded, and its blocks written in place, channels last.</summary>
internal sealed class OperatorBackbone : Backbone
{
    private readonly List<Tensor> _kept = [];
    private readonly ScalarType _type;
    private readonly Scaled _pixels;
    private readonly Dictionary<Layer, Func<Tensor, Tensor>> _weighted = [];
    private readonly GraphInterpreter _interpreter;

    /// <summary>Prepares weights.</summary>
    /// <param name="graph">The architecture's, folded.</param>
    /// <param name="weights">They are copied.</param>
    /// <param name="precision">Of weights and maps.</param>
    /// <param name="device">Where to compute.</param>
    /// <exception cref="WeightsException">Weights are beyond the numbers of the precision.</exception>
    public OperatorBackbone(NetworkGraph graph, BackboneWeights weights, Precision precision, Device device)
        : base(weights, precision, device)
    {
        _type = precision switch
        {
            Precision.Bf16 => ScalarType.BFloat16,
            Precision.Fp16 => ScalarType.Float16,
            _ => ScalarType.Float32,
        };
        var (mean, deviation) = (weights.Preprocessing.Mean, weights.Preprocessing.Std);
        _pixels = new Scaled(
            Keep(Array.ConvertAll(deviation, value => 1 / (255.0 * value)), ScalarType.Float32, 3),
            Keep(mean.Zip(deviation, (value, spread) => -(double)value / spread), ScalarType.Float32, 3)
        );
        foreach (var layer in graph.Layers)
        {
            if (Weigh(layer) is { } apply)
            {
                _weighted.Add(layer, apply);
            }
        }

        _interpreter = new GraphInterpreter(graph, graph.Places(), (layer, input) => _weighted[layer](input));
    }

    public override void Dispose() => _kept.ForEach(tensor => tensor.Dispose());

    protected override Tensor Compute(Tensor images)
    {
        var pixels = _pixels.Apply(images.to(Device, non_blocking: true).to(ScalarType.Float32)).to(_type);
        return _interpreter.Run(pixels.permute(0, 3, 1, 2));
    }

    private Func<Tensor, Tensor>? Weigh(Layer layer)
    {
        switch (layer.Operation)
        {
            case Scaling:
                var (scale, shift) = Weights.ScaleAndShift(layer.Name);
                return new Scaled(Keep(scale, _type, scale.Length, 1, 1), Keep(shift, _type, shift.Length, 1, 1)).Apply;
            case Convolution { Window: var window, Stride: var stride, Padding: var padding }:
                var (values, biases) = Weights.WeightsAndBias(layer);
                var kernel = KeepChannelsLast(values, layer.Channels, layer.Inputs[0].Channels, window, window);
                var bias = biases is null ? null : Keep(Array.ConvertAll(biases, value => (double)value), _type, layer.Channels);
                return map => nn.functional.conv2d(map, kernel, bias, [stride, stride], [padding, padding]);
            case Dense:
                // Means are float32 in any precision.
                var matrix = Keep(Doubles(layer.Name + ".weight"), ScalarType.Float32, layer.Channels, layer.Inputs[0].Channels);
                var offset = Keep(Doubles(layer.Name + ".bias"), ScalarType.Float32, layer.Channels);
                return means => nn.functional.linear(means, matrix, offset);
            default:
                return null;
        }
    }

    private double[] Doubles(string name) => Array.ConvertAll(Weights.Values(name), value => (double)value);

    private Tensor KeepChannelsLast(float[] values, params long[] shape)
    {
        using var scope = NewDisposeScope();
        var converted = Fitting(TensorData.FromValues(values, shape).ToTensor().to(Device).to(_type));
        return Keep(converted.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2));
    }

    private Tensor Keep(IEnumerable<double> values, ScalarType type, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return Keep(Fitting(TensorData.FromValues([.. values.Select(value => (float)value)], shape).ToTensor().to(Device).to(type)));
    }

    private Tensor Keep(Tensor tensor)
    {
        _kept.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    /// <summary>The largest number of float16 is 65,504; bfloat16 ends a little below float32.</summary>
    private Tensor Fitting(Tensor converted)
    {
        using var scope = NewDisposeScope();
        var beyond = _type == ScalarType.Float32 ? 0 : converted.numel() - converted.isfinite().sum().item<long>();
        return beyond == 0
            ? converted
            : throw new WeightsException(
                $"{beyond} weights of {Weights.Source} are beyond the numbers of {Precision.ToString().ToLowerInvariant()}. Give "
                    + "the precision fp32."
            );
    }

    /// <summary>value × scale + shift, by channel.</summary>
    private sealed record Scaled(Tensor Scale, Tensor Shift)
    {
        public Tensor Apply(Tensor map) => addcmul(Shift, map, Scale, 1);
    }
}
