using Distributed.Networks;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Onnx;

/// <summary>A model's layers as this library's own.</summary>
/// <param name="Output">The layer that gives the features.</param>
/// <param name="Tensors">Weights under the names of the layers.</param>
/// <param name="SizeMultiple">Heights and widths of images are multiples of this: at others the model pads its maps in another way.</param>
internal sealed record ImportedNetwork(Layer Output, Dictionary<string, TensorData> Tensors, int SizeMultiple);

/// <summary>
/// Makes a graph of this library's layers from a model, where it consists of layers that it knows. Biases become normalisations that only
/// shift, and another epsilon a part of the variances, so that nothing behind the graph has to know them.
/// </summary>
/// <param name="file">The model.</param>
/// <param name="images">Name of the images: float32 [n, 3, height, width].</param>
/// <param name="size">Height and width of the images that the model was made for, pixels: of that of its maps it shows which pooling takes a whole one.</param>
/// <param name="isReversed">Whether the model takes blue before green and red; the graph takes red first.</param>
internal sealed class OnnxImport(OnnxFile file, string images, int size, bool isReversed)
{
    private readonly Dictionary<string, Map?> _maps = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorData> _tensors = new(StringComparer.Ordinal);
    private int _sizeMultiple = 1;

    /// <summary>Makes the graph.</summary>
    /// <param name="features">Name of the tensor whose mean or value the features are.</param>
    /// <returns>Null where a layer is none that this library knows.</returns>
    /// <exception cref="WeightsException">A tensor is damaged.</exception>
    public ImportedNetwork? TryImport(string features)
    {
        _maps[images] = new Map(Layer.Start(), size, 1);
        var waiting = new Stack<string>([features]);
        // Not by recursion: networks of a thousand layers are one chain.
        while (waiting.TryPeek(out var name))
        {
            if (_maps.ContainsKey(name))
            {
                waiting.Pop();
            }
            else if (file.ProducerOf(name) is not { } node)
            {
                return null;
            }
            else if (MapsOf(node).FirstOrDefault(input => !_maps.ContainsKey(input)) is { } missing)
            {
                // A node that waits for itself is a loop, which no valid model has.
                if (waiting.Contains(missing))
                {
                    return null;
                }

                waiting.Push(missing);
            }
            else if (Import(node, $"layer{_maps.Count}") is { } map)
            {
                _maps[name] = map;
            }
            else
            {
                return null;
            }
        }

        var last = _maps[features]!;
        if (last is { IsVector: false, Layer.Operation: not Images })
        {
            last = last with { Layer = last.Layer.Then("features.mean", new GlobalAverage()), IsVector = true };
        }

        return last.IsVector ? new ImportedNetwork(last.Layer, _tensors, _sizeMultiple) : null;
    }

    /// <summary>The inputs that are computed.</summary>
    private static IEnumerable<string> MapsOf(OnnxNode node) =>
        node.Operation is "Add" or "Sum" or "Concat" ? node.Inputs : node.Inputs.Take(1);

    /// <summary>One layer, under a name of its own: those of exporters are no names of modules.</summary>
    private Map? Import(OnnxNode node, string output)
    {
        var inputs = MapsOf(node).Select(name => _maps[name]!).ToList();
        return inputs.Count == 0
            ? null
            : node.Operation switch
            {
                "Conv" => ImportConvolution(node, output, inputs[0]),
                "BatchNormalization" when !inputs[0].IsVector => ImportNormalization(node, output, inputs[0]),
                "Relu" => inputs[0].Then(output, new Rectifier()),
                "MaxPool" => ImportMaxPooling(node, output, inputs[0]),
                "AveragePool" => ImportAveragePooling(node, output, inputs[0]),
                "GlobalAveragePool" when !inputs[0].IsVector => inputs[0].Then(output, new GlobalAverage()) with { IsVector = true },
                "ReduceMean" when !inputs[0].IsVector && IsOverPixels(node) => inputs[0].Then(output, new GlobalAverage()) with
                {
                    IsVector = true,
                },
                "Add" or "Sum" => Join(inputs, output, new Addition()),
                "Concat" when node.Integer("axis", 0) is 1 or -3 => Join(inputs, output, new Concatenation()),
                "Identity" or "Dropout" => inputs[0],
                // Behind a mean of whole maps these only take away what has an extent of one.
                "Flatten" or "Reshape" or "Squeeze" when inputs[0].IsVector => inputs[0],
                _ => null,
            };
    }

    private Map? ImportConvolution(OnnxNode node, string output, Map input)
    {
        if (
            input.IsVector
            || node.Inputs is not [_, var weightName, ..]
            || file.Fixed(weightName) is not { Shape: [var outputs, var channels, var window, var width] } weight
            || channels != input.Layer.Channels
            || window != width
            || outputs > int.MaxValue
            || node.Integer("group", 1) != 1
            || StepOf(node, input, window) is not ({ } stride, { } after)
        )
        {
            return null;
        }

        var values = file.Read(weight);
        Put(output + ".weight", isReversed && input.Layer.Operation is Images ? Reversed(values) : values);
        var map = after with { Layer = input.Layer.Then(output, new Convolution((int)outputs, (int)window, stride)) };
        if (node.Inputs.ElementAtOrDefault(2) is not { Length: > 0 } biasName)
        {
            return map;
        }

        if (file.Fixed(biasName) is not { Shape: [var count] } bias || count != outputs)
        {
            return null;
        }

        var name = output + "_bias";
        PutFilled(name + ".weight", outputs, 1);
        Put(name + ".bias", file.Read(bias));
        PutFilled(name + ".running_mean", outputs, 0);
        PutFilled(name + ".running_var", outputs, (float)(1 - Normalization.Epsilon));
        return map.Then(name, new Normalization());
    }

    private Map? ImportNormalization(OnnxNode node, string output, Map input)
    {
        var parts = node.Inputs.Skip(1).Select(file.Fixed).ToList();
        if (
            parts is not [{ } weight, { } bias, { } mean, { } variance]
            || parts.Any(part => part!.Shape is not [var n] || n != input.Layer.Channels)
        )
        {
            return null;
        }

        var epsilon = node.Single("epsilon", 1e-5f);
        var variances = file.Read(variance).ToSingles();
        Put(output + ".weight", file.Read(weight));
        Put(output + ".bias", file.Read(bias));
        Put(output + ".running_mean", file.Read(mean));
        Put(
            output + ".running_var",
            epsilon == (float)Normalization.Epsilon
                ? file.Read(variance)
                : TensorData.FromValues(
                    Array.ConvertAll(variances, value => (float)Math.Max(0, value + (double)epsilon - Normalization.Epsilon)),
                    variances.Length
                )
        );
        return input.Then(output, new Normalization());
    }

    private Map? ImportMaxPooling(OnnxNode node, string output, Map input) =>
        !input.IsVector
        && node.Integers("kernel_shape") is [var window, var width]
        && window == width
        && node.Integer("ceil_mode", 0) == 0
        && StepOf(node, input, window) is ({ } stride, { } after)
            ? after with
            {
                Layer = input.Layer.Then(output, new MaxPooling((int)window, stride)),
            }
            : null;

    private static Map? ImportAveragePooling(OnnxNode node, string output, Map input)
    {
        if (
            input.IsVector
            || node.Integers("kernel_shape") is not [var window, var width]
            || window != width
            || node.Integers("pads", 0, 0, 0, 0).Any(padding => padding != 0)
            || node.Text("auto_pad", "NOTSET") is not ("NOTSET" or "VALID")
        )
        {
            return null;
        }

        if (window == input.Size)
        {
            return input.Then(output, new GlobalAverage()) with { IsVector = true };
        }

        var steps = node.Integers("strides", 1, 1);
        return window > 1 && steps.All(step => step == window)
            ? new Map(input.Layer.Then(output, new AveragePooling((int)window)), input.Size / (int)window, input.Step * (int)window)
            : null;
    }

    /// <summary>The stride of a window, and size and step of the map behind it; null where this library pads in another way.</summary>
    private (int Stride, Map After)? StepOf(OnnxNode node, Map input, long window)
    {
        var half = window / 2;
        if (
            window is < 1 or > 31
            || window % 2 == 0
            || node.Integers("dilations", 1, 1).Any(dilation => dilation != 1)
            || node.Integers("strides", 1, 1) is not [var stride, var across]
            || stride != across
            || stride is < 1 or > 4
        )
        {
            return null;
        }

        var pads = node.Text("auto_pad", "NOTSET") switch
        {
            "NOTSET" => node.Integers("pads", 0, 0, 0, 0),
            "VALID" => [0, 0, 0, 0],
            "SAME_UPPER" or "SAME_LOWER" when stride == 1 => [half, half, half, half],
            _ => [],
        };
        var step = input.Step * (int)stride;
        if (pads is not [var top, var left, var bottom, var right] || top != half || left != half || bottom != right)
        {
            return null;
        }

        // Of an even number of pixels, a window at every second one never reaches the last row of zeros: it may be missing.
        if (bottom == half - 1 && stride == 2)
        {
            _sizeMultiple = Math.Max(_sizeMultiple, step);
        }
        else if (bottom != half)
        {
            return null;
        }

        return ((int)stride, input with { Size = ((input.Size - 1) / (int)stride) + 1, Step = step });
    }

    private static Map? Join(List<Map> inputs, string output, Operation operation) =>
        inputs.All(input => !input.IsVector && input.Size == inputs[0].Size && input.Step == inputs[0].Step)
        && (operation is Concatenation || inputs.All(input => input.Layer.Channels == inputs[0].Layer.Channels))
            ? inputs[0] with
            {
                Layer = new Layer(output, operation, [.. inputs.Select(input => input.Layer)]),
            }
            : null;

    private bool IsOverPixels(OnnxNode node)
    {
        var axes = node.Inputs.ElementAtOrDefault(1) is { Length: > 0 } name ? file.Fixed(name)?.Numbers() ?? [] : node.Integers("axes");
        return axes is [2 or -2, 3 or -1] or [3 or -1, 2 or -2];
    }

    /// <summary>Weights that read blue, green and red, as such that read red, green and blue.</summary>
    private static TensorData Reversed(TensorData weights)
    {
        var values = weights.ToSingles();
        var plane = values.Length / (int)weights.Shape[0] / 3;
        for (var start = 0; start < values.Length; start += 3 * plane)
        {
            for (var i = start; i < start + plane; i++)
            {
                (values[i], values[i + (2 * plane)]) = (values[i + (2 * plane)], values[i]);
            }
        }

        return TensorData.FromValues(values, weights.Shape);
    }

    private void PutFilled(string name, long count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        Put(name, TensorData.FromValues(values, count));
    }

    private void Put(string name, TensorData tensor) => _tensors[name] = tensor;

    /// <summary>What a tensor of the model is.</summary>
    /// <param name="Layer">The layer that gives it.</param>
    /// <param name="Size">Height and width where images are as the model was made for.</param>
    /// <param name="Step">Pixels of the images from one of its own to the next.</param>
    private sealed record Map(Layer Layer, int Size, int Step)
    {
        /// <summary>Whether it is one number a channel.</summary>
        public bool IsVector { get; init; }

        public Map Then(string name, Operation operation) => this with { Layer = Layer.Then(name, operation) };
    }
}
