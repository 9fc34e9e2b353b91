using System.Runtime.InteropServices;
using Distributed.Vision.Features;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>A head that is trained: standardisation, layers, definition.</summary>
/// <remarks>Safe for several threads; each call holds its native memory for itself.</remarks>
public sealed class TrainedHead
{
    internal const string Format = "distributed-head/1";

    private const int RowsAtOnce = 4096;

    private readonly HeadLayout _layout;
    private readonly float[] _mean;
    private readonly float[] _std;
    private readonly float[] _parameters;

    private TrainedHead(HeadFile file, string source)
    {
        _layout = file.Layout();
        Definition = file.Definition;
        FeatureSize = file.Integer("features");
        Classes = file.Integer("classes");
        _mean = file.Read("mean", FeatureSize);
        _std = file.Read("std", FeatureSize);
        _parameters = _layout.Load(file, "");
        Origin = HeadOrigin.Read(file, Classes);
        Calibration = HeadCalibration.Read(file);
        var notFinite = _mean.Concat(_std).Concat(_parameters).Count(value => !float.IsFinite(value)) + _std.Count(value => value <= 0);
        if (notFinite > 0)
        {
            throw new WeightsException(
                $"{source} holds values that no training makes, {notFinite} in all: numbers that are not finite, or deviations "
                    + "that are not above 0."
            );
        }
    }

    /// <summary>What it is.</summary>
    public HeadDefinition Definition { get; }

    /// <summary>Feature dimension.</summary>
    public int FeatureSize { get; }

    /// <summary>Classes.</summary>
    public int Classes { get; }

    /// <summary>What it is for; null for a head of the first versions, whose files do not say.</summary>
    public HeadOrigin? Origin { get; }

    /// <summary>What the validation images say of its probabilities; null without any.</summary>
    public HeadCalibration? Calibration { get; }

    /// <summary>What logits are divided by before the softmax: 1 where nothing else is known.</summary>
    public double Temperature => Calibration?.Temperature ?? 1;

    /// <summary>What is subtracted from features.</summary>
    internal ReadOnlySpan<float> Mean => _mean;

    /// <summary>What they are divided by then.</summary>
    internal ReadOnlySpan<float> Std => _std;

    /// <summary>Weights [outputs, inputs] and biases of its layers; all but the last are followed by a rectifier.</summary>
    internal IReadOnlyList<(ReadOnlyMemory<float> Weight, ReadOnlyMemory<float> Bias)> Layers =>
        [
            .. _layout.Layers.Select(layer =>
                (
                    (ReadOnlyMemory<float>)_parameters.AsMemory(layer.WeightStart, layer.Inputs * layer.Outputs),
                    (ReadOnlyMemory<float>)_parameters.AsMemory(layer.BiasStart, layer.Outputs)
                )
            ),
        ];

    /// <summary>Reads a head.</summary>
    /// <param name="bytes">What <see cref="IHeadTrainingState.ExportBest"/> made.</param>
    /// <param name="source">What errors call the bytes, such as the path they come from.</param>
    /// <exception cref="WeightsException">The bytes are no head.</exception>
    public static TrainedHead Load(ReadOnlyMemory<byte> bytes, string source = "The head") =>
        new(new HeadFile(bytes, source, Format), source);

    /// <summary>A head as a safetensors file.</summary>
    internal static byte[] Export(
        HeadDefinition definition,
        int featureSize,
        int classes,
        float[] mean,
        float[] std,
        float[] parameters,
        HeadCalibration? calibration,
        HeadOrigin? origin
    )
    {
        var tensors = new Dictionary<string, TensorData>
        {
            ["mean"] = TensorData.FromValues(mean, mean.Length),
            ["std"] = TensorData.FromValues(std, std.Length),
        };
        new HeadLayout(definition, featureSize, classes).Save(tensors, "", parameters);
        var metadata = HeadFile.Describe(Format, definition, featureSize, classes);
        calibration?.AddTo(tensors, metadata);
        origin?.AddTo(metadata, classes);
        return SafetensorsWriter.ToBytes(tensors, metadata);
    }

    /// <summary>Logits of images.</summary>
    /// <param name="features">[n, <see cref="FeatureSize"/>]; read in stretches.</param>
    /// <returns>n × <see cref="Classes"/> numbers, row-major.</returns>
    /// <exception cref="ArgumentException">The features have another size.</exception>
    public float[] Logits(IFeatureSource features)
    {
        ArgumentNullException.ThrowIfNull(features);
        if (features.Size != FeatureSize)
        {
            throw new ArgumentException(
                $"The head takes {FeatureSize} features an image, not {features.Size}: they come from another backbone.",
                nameof(features)
            );
        }

        using var withoutGradients = torch.no_grad();
        using var network = new HeadNetwork(_layout, _parameters, _mean, _std, torch.CPU);
        var results = new float[checked(features.Count * Classes)];
        var values = new float[Math.Min(RowsAtOnce, features.Count) * FeatureSize];
        for (var first = 0; first < features.Count; first += RowsAtOnce)
        {
            using var scope = torch.NewDisposeScope();
            var count = Math.Min(RowsAtOnce, features.Count - first);
            features.Read(first, count, values);
            var rows = TensorData.FromValues(values.AsSpan(0, count * FeatureSize), count, FeatureSize).ToTensor();
            network.Logits(rows).bytes.CopyTo(MemoryMarshal.AsBytes(results.AsSpan(first * Classes, count * Classes)));
        }

        return results;
    }

    /// <summary>Probabilities of the classes: the softmax of the logits over the <see cref="Temperature"/>.</summary>
    /// <param name="logits">From <see cref="Logits"/>.</param>
    /// <returns>As many numbers.</returns>
    public float[] Probabilities(ReadOnlySpan<float> logits) => TemperatureScaling.Probabilities(logits, Classes, Temperature);
}
