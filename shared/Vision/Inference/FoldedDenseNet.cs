using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>
/// A DenseNet as a backbone for extraction alone, computed by LibTorch's operators on any device. It saves the work that
/// <see cref="CompiledDenseNet"/> saves where operators can: normalisations that follow a convolution are folded into its
/// weights, transitions average before they convolve, and a block's layers write slices of one buffer, channels last.
/// </summary>
internal sealed class FoldedDenseNet : IDenseNetBackbone
{
    private readonly List<Tensor> _kept = [];
    private readonly ScalarType _type;
    private readonly Normalization _pixels;
    private readonly Convolution _stem;
    private readonly Layer[][] _blocks;
    private readonly Transition[] _transitions;
    private readonly Normalization _last;

    public FoldedDenseNet(DenseNetArchitecture architecture, BackboneWeights weights, Precision precision, Device device)
    {
        Architecture = architecture;
        Weights = weights;
        Precision = precision;
        Device = device;
        _type = precision switch
        {
            Precision.Bf16 => ScalarType.BFloat16,
            Precision.Fp16 => ScalarType.Float16,
            _ => ScalarType.Float32,
        };
        var (mean, deviation) = (weights.Preprocessing.Mean, weights.Preprocessing.Std);
        _pixels = new Normalization(
            Keep(Array.ConvertAll(deviation, value => 1 / (255.0 * value)), ScalarType.Float32, 3),
            Keep(mean.Zip(deviation, (value, spread) => -(double)value / spread), ScalarType.Float32, 3)
        );
        _stem = Folded("conv0", "norm0", architecture.InitialFeatures, 7, stride: 2);
        var channels = architecture.InitialFeatures;
        _blocks = new Layer[architecture.Blocks.Length][];
        _transitions = new Transition[_blocks.Length - 1];
        for (var block = 0; block < _blocks.Length; block++)
        {
            if (block > 0)
            {
                var name = $"transition{block}";
                _transitions[block - 1] = new Transition(Norm(name + ".norm"), Plain(name + ".conv", channels / 2, 1));
                channels /= 2;
            }

            _blocks[block] = new Layer[architecture.Blocks[block]];
            for (var layer = 0; layer < _blocks[block].Length; layer++)
            {
                var name = $"denseblock{block + 1}.denselayer{layer + 1}";
                _blocks[block][layer] = new Layer(
                    channels,
                    Norm(name + ".norm1"),
                    Folded(name + ".conv1", name + ".norm2", DenseNetArchitecture.BottleneckFactor * architecture.GrowthRate, 1),
                    Plain(name + ".conv2", architecture.GrowthRate, 3)
                );
                channels += architecture.GrowthRate;
            }
        }

        _last = Norm("norm5");
    }

    public DenseNetArchitecture Architecture { get; }

    public BackboneWeights Weights { get; }

    public Precision Precision { get; }

    public Device Device { get; }

    public bool TakesAnyBatch => false;

    public Tensor Features(Tensor images)
    {
        DenseNetBackbone.Check(images, this);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        using var stem = Enter(images);
        var map = Fill(_blocks[0], stem);
        for (var block = 1; block < _blocks.Length; block++)
        {
            using var before = map;
            using var entered = Pass(_transitions[block - 1], before);
            map = Fill(_blocks[block], entered);
        }

        return _last.Rectified(map).mean([2, 3], type: ScalarType.Float32).MoveToOuterDisposeScope();
    }

    public void Dispose() => _kept.ForEach(tensor => tensor.Dispose());

    /// <summary>The same tensor with its channels last in memory, for which devices have the faster kernels.</summary>
    private static Tensor ChannelsLast(Tensor tensor) => tensor.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    private static Tensor Pass(Transition transition, Tensor map)
    {
        using var scope = NewDisposeScope();
        // Averaging and a 1×1 convolution commute, and this way round there is a quarter of the work.
        return transition.Convolution.Apply(nn.functional.avg_pool2d(transition.Norm.Rectified(map), 2)).MoveToOuterDisposeScope();
    }

    private Tensor Enter(Tensor images)
    {
        using var scope = NewDisposeScope();
        var pixels = addcmul(_pixels.Shift, images.to(Device, non_blocking: true).to(ScalarType.Float32), _pixels.Scale, 1).to(_type);
        return nn.functional.max_pool2d(_stem.Apply(pixels.permute(0, 3, 1, 2)).relu_(), 3, 2, 1).MoveToOuterDisposeScope();
    }

    private Tensor Fill(Layer[] layers, Tensor entered)
    {
        using var scope = NewDisposeScope();
        var (count, channels, height, width) = (entered.shape[0], entered.shape[1], entered.shape[2], entered.shape[3]);
        var block = empty([count, height, width, channels + (layers.Length * Architecture.GrowthRate)], dtype: _type, device: Device)
            .permute(0, 3, 1, 2);
        block.narrow(1, 0, channels).copy_(entered);
        foreach (var layer in layers)
        {
            using var layerScope = NewDisposeScope();
            var narrow = layer.Narrow.Apply(layer.Norm.Rectified(block.narrow(1, 0, layer.Inputs))).relu_();
            block.narrow(1, layer.Inputs, Architecture.GrowthRate).copy_(layer.Grow.Apply(narrow));
        }

        return block.MoveToOuterDisposeScope();
    }

    private Normalization Norm(string name)
    {
        var (scale, shift) = Weights.Normalization(name);
        return new Normalization(Keep(scale, _type, scale.Length, 1, 1), Keep(shift, _type, shift.Length, 1, 1));
    }

    private Convolution Plain(string name, int outputs, int window) => Kept(Weights.Values(name + ".weight"), null, outputs, window, 1);

    private Convolution Folded(string name, string norm, int outputs, int window, int stride = 1)
    {
        var (weights, bias) = Weights.FoldedConvolution(name, norm);
        return Kept(weights, bias, outputs, window, stride);
    }

    private Convolution Kept(float[] weights, float[]? bias, int outputs, int window, int stride)
    {
        using var scope = NewDisposeScope();
        var shaped = TensorData.FromValues(weights, outputs, weights.Length / (outputs * window * window), window, window).ToTensor();
        return new Convolution(
            Keep(ChannelsLast(Fitting(shaped.to(Device).to(_type)))),
            bias is null ? null : Keep(bias.Select(value => (double)value), _type, outputs),
            stride,
            window / 2
        );
    }

    private Tensor Keep(IEnumerable<double> values, ScalarType type, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return Keep(Fitting(TensorData.FromValues([.. values.Select(value => (float)value)], shape).ToTensor().to(Device).to(type)));
    }

    /// <summary>The largest number of float16 is 65,504; bfloat16 ends a little below float32.</summary>
    private Tensor Fitting(Tensor converted)
    {
        using var scope = NewDisposeScope();
        var beyond = _type == ScalarType.Float32 ? 0 : converted.numel() - converted.isfinite().sum().item<long>();
        return beyond == 0
            ? converted
            : throw new WeightsException(
                $"{beyond} weights of {Weights.Source} are beyond the numbers of {Precision.ToString().ToLowerInvariant()}. Give the precision fp32."
            );
    }

    private Tensor Keep(Tensor tensor)
    {
        _kept.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private sealed record Layer(int Inputs, Normalization Norm, Convolution Narrow, Convolution Grow);

    private sealed record Transition(Normalization Norm, Convolution Convolution);

    /// <summary>A normalisation with fixed statistics.</summary>
    private sealed record Normalization(Tensor Scale, Tensor Shift)
    {
        public Tensor Rectified(Tensor map) => addcmul(Shift, map, Scale, 1).relu_();
    }

    private sealed record Convolution(Tensor Weights, Tensor? Bias, int Stride, int Padding)
    {
        public Tensor Apply(Tensor map) => nn.functional.conv2d(map, Weights, Bias, [Stride, Stride], [Padding, Padding]);
    }
}
