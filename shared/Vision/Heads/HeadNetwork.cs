using Distributed.Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>
/// A head as plain tensor arithmetic on flat parameters, with its gradient written down: a linear head then takes a few
/// operators a step, and nothing depends on what an autograd engine keeps.
/// </summary>
internal sealed class HeadNetwork : IDisposable
{
    private readonly HeadLayout _layout;
    private readonly Tensor _mean;
    private readonly Tensor _std;
    private readonly (Tensor Weight, Tensor Bias)[] _layers;
    private readonly (Tensor Weight, Tensor Bias)[] _gradients;

    public HeadNetwork(HeadLayout layout, ReadOnlySpan<float> parameters, float[] mean, float[] std, Device device)
    {
        _layout = layout;
        Device = device;
        _mean = Upload(mean, device);
        _std = Upload(std, device);
        Parameters = Upload(parameters, device);
        Gradient = zeros_like(Parameters).DetachFromDisposeScope();
        _layers = Views(Parameters);
        _gradients = Views(Gradient);
    }

    public Device Device { get; }

    /// <summary>All parameters, flat.</summary>
    public Tensor Parameters { get; }

    /// <summary>Receives the gradient of the mean loss by <see cref="Parameters"/>.</summary>
    public Tensor Gradient { get; }

    /// <summary>Copies values to a device, into memory of their own.</summary>
    public static Tensor Upload(ReadOnlySpan<float> values, Device device)
    {
        using var plain = TensorData.FromValues(values, values.Length).ToTensor();
        return plain.to(device, copy: true).DetachFromDisposeScope();
    }

    /// <summary>Copies a float32 tensor into managed memory.</summary>
    public static float[] Download(Tensor values) => TensorData.FromTensor(values).ToSingles();

    /// <summary>Logits of features, without dropout.</summary>
    /// <param name="features">float32 [n, features], not standardised.</param>
    /// <returns>float32 [n, classes].</returns>
    public Tensor Logits(Tensor features)
    {
        using var scope = NewDisposeScope();
        var current = Standardise(features);
        for (var i = 0; i < _layers.Length; i++)
        {
            current = addmm(_layers[i].Bias, current, _layers[i].Weight.t(), 1, 1);
            if (i < _layers.Length - 1)
            {
                current.relu_();
            }
        }

        return current.MoveToOuterDisposeScope();
    }

    /// <summary>Cross-entropy of logits, summed over images in double precision, and how many are right. Both stay on the device.</summary>
    public static (Tensor LossSum, Tensor Correct) Score(Tensor logits, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var logProbabilities = nn.functional.log_softmax(logits, 1);
        var loss = logProbabilities.gather(1, labels.unsqueeze(1)).to(ScalarType.Float64).sum().neg_();
        var correct = logits.argmax(1).eq(labels).sum();
        return (loss.MoveToOuterDisposeScope(), correct.MoveToOuterDisposeScope());
    }

    /// <summary>Computes the loss of one batch, and its gradient into <see cref="Gradient"/>.</summary>
    /// <param name="features">float32 [n, features], not standardised.</param>
    /// <param name="labels">int64 [n].</param>
    /// <param name="dropoutMask">The mask of a layer's inputs for layers that drop: zero, or one over the share that is kept.</param>
    public (Tensor LossSum, Tensor Correct) Differentiate(Tensor features, Tensor labels, Func<int, Tensor> dropoutMask)
    {
        using var scope = NewDisposeScope();
        var inputs = new Tensor[_layers.Length];
        var masks = new Tensor?[_layers.Length];
        var current = Standardise(features);
        for (var i = 0; i < _layers.Length; i++)
        {
            if (_layout.Layers[i].DropsInputs)
            {
                masks[i] = dropoutMask(i);
                current = current * masks[i]!;
            }

            inputs[i] = current;
            current = addmm(_layers[i].Bias, current, _layers[i].Weight.t(), 1, 1);
            if (i < _layers.Length - 1)
            {
                current.relu_();
            }
        }

        var (loss, correct) = Score(current, labels);
        var delta = nn.functional.softmax(current, 1);
        delta.sub_(nn.functional.one_hot(labels, current.shape[1])).div_(labels.shape[0]);
        for (var i = _layers.Length - 1; i >= 0; i--)
        {
            _gradients[i].Weight.copy_(delta.t().mm(inputs[i]));
            _gradients[i].Bias.copy_(delta.sum(dim: 0));
            if (i > 0)
            {
                // A dropped or inactive input is zero, so its sign shows both where ReLU and where dropout let pass.
                delta = delta.mm(_layers[i].Weight).mul_(inputs[i].gt(0));
                delta = masks[i] is { } mask ? delta.mul_(mask) : delta;
            }
        }

        return (loss.MoveToOuterDisposeScope(), correct.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        foreach (var (weight, bias) in _layers.Concat(_gradients))
        {
            weight.Dispose();
            bias.Dispose();
        }

        Parameters.Dispose();
        Gradient.Dispose();
        _mean.Dispose();
        _std.Dispose();
    }

    private Tensor Standardise(Tensor features) => features.sub(_mean).div_(_std);

    private (Tensor Weight, Tensor Bias)[] Views(Tensor flat)
    {
        using var scope = NewDisposeScope();
        return
        [
            .. _layout.Layers.Select(layer =>
                (
                    flat.narrow(0, layer.WeightStart, layer.Inputs * layer.Outputs)
                        .view(layer.Outputs, layer.Inputs)
                        .DetachFromDisposeScope(),
                    flat.narrow(0, layer.BiasStart, layer.Outputs).DetachFromDisposeScope()
                )
            ),
        ];
    }
}
