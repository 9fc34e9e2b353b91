using Distributed.Vision.Weights;

namespace Distributed.Vision.Heads;

/// <summary>One linear layer, and where its numbers lie in a head's flat parameters.</summary>
internal sealed record HeadLayer(int Inputs, int Outputs, int WeightStart, int BiasStart, bool DropsInputs);

/// <summary>
/// How a head's parameters lie in one flat array: every layer's weight [outputs, inputs], then its bias. The optimiser sees
/// the array, the network its layers, files the layers' names.
/// </summary>
internal sealed class HeadLayout
{
    public HeadLayout(HeadDefinition definition, int featureSize, int classes)
    {
        definition.ThrowIfInvalid();
        ArgumentOutOfRangeException.ThrowIfLessThan(featureSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        int[] sizes = [featureSize, .. definition.HiddenSizes, classes];
        var layers = new HeadLayer[sizes.Length - 1];
        var length = 0L;
        for (var i = 0; i < layers.Length; i++)
        {
            var bias = length + ((long)sizes[i] * sizes[i + 1]);
            if (bias + sizes[i + 1] > Array.MaxLength / sizeof(float))
            {
                throw new ArgumentException($"A head of {string.Join(" × ", sizes)} is too large: its parameters take more than 2 GiB.");
            }

            layers[i] = new HeadLayer(
                sizes[i],
                sizes[i + 1],
                (int)length,
                (int)bias,
                definition.Dropout > 0 && (i > 0 || layers.Length == 1)
            );
            length = bias + sizes[i + 1];
        }

        Layers = layers;
        Length = (int)length;
    }

    public IReadOnlyList<HeadLayer> Layers { get; }

    /// <summary>Parameters of all layers together.</summary>
    public int Length { get; }

    /// <summary>First weights as <c>torch.nn.Linear</c> draws them: uniform within one over the root of the inputs.</summary>
    public float[] Draw(int seed)
    {
        var values = new float[Length];
        for (var i = 0; i < Layers.Count; i++)
        {
            var layer = Layers[i];
            var random = new SeededRandom(SeededRandom.Hash(seed, (long)SeedPurpose.Weights, i));
            var bound = 1 / MathF.Sqrt(layer.Inputs);
            foreach (ref var value in values.AsSpan(layer.WeightStart, layer.BiasStart + layer.Outputs - layer.WeightStart))
            {
                value = bound * ((2 * random.NextSingle()) - 1);
            }
        }

        return values;
    }

    /// <summary>Adds the layers' parts of a flat array to the tensors of a file.</summary>
    public void Save(Dictionary<string, TensorData> tensors, string prefix, ReadOnlySpan<float> values)
    {
        for (var i = 0; i < Layers.Count; i++)
        {
            var layer = Layers[i];
            tensors.Add(
                WeightName(prefix, i),
                TensorData.FromValues(values[layer.WeightStart..layer.BiasStart], layer.Outputs, layer.Inputs)
            );
            tensors.Add(BiasName(prefix, i), TensorData.FromValues(values.Slice(layer.BiasStart, layer.Outputs), layer.Outputs));
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public float[] Load(HeadFile file, string prefix)
    {
        var values = new float[Length];
        for (var i = 0; i < Layers.Count; i++)
        {
            var layer = Layers[i];
            file.Read(WeightName(prefix, i), values.AsSpan(layer.WeightStart..layer.BiasStart), layer.Outputs, layer.Inputs);
            file.Read(BiasName(prefix, i), values.AsSpan(layer.BiasStart, layer.Outputs), layer.Outputs);
        }

        return values;
    }

    private static string WeightName(string prefix, int layer) => $"{prefix}layers.{layer}.weight";

    private static string BiasName(string prefix, int layer) => $"{prefix}layers.{layer}.bias";
}

/// <summary>Keeps draws for different purposes apart that have the same seed. The numbers are part of what a seed means.</summary>
internal enum SeedPurpose
{
    Weights = 1,
    BatchOrder = 2,
    Dropout = 3,
}
