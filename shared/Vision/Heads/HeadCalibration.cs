using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>
/// What the validation images say about a head's probabilities. Of a head that is refitted on training and validation images together, it is
/// measured before that, at the same penalty: on images that it has learnt from, a head is always too sure.
/// </summary>
public sealed class HeadCalibration
{
    private const string TemperatureKey = "temperature";
    private const string ScoresName = "conformity";

    /// <summary>Validation images that a head looks at together.</summary>
    private const int RowsAtOnce = 4096;

    /// <summary>Quantiles of more scores than these are as good as those of all.</summary>
    private const int MostScores = 10_000;

    private HeadCalibration(double temperature, float[] scores) => (Temperature, Scores) = (temperature, scores);

    /// <summary>What logits are divided by: see <see cref="TemperatureScaling"/>.</summary>
    public double Temperature { get; }

    /// <summary>
    /// One minus the probability of its own class for each validation image (of very many, for evenly spaced ones), rising. From them follow sets
    /// of classes that hold the true one with a probability asked for (split conformal prediction; Sadinle et al., arXiv:1609.00451).
    /// </summary>
    internal float[] Scores { get; }

    /// <summary>
    /// Of how improbable a class may be and still belong to the set: all classes with a probability of at least one minus this, and the most
    /// probable one in any case, hold the true one with the confidence, if the image is of the kind of the validation images.
    /// </summary>
    /// <param name="confidence">Above 0 and below 1.</param>
    /// <returns>0 to 1; 1, which lets all classes pass, where there are too few validation images for the confidence.</returns>
    public double Threshold(double confidence)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(confidence);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(confidence, 1);
        var rank = (int)Math.Ceiling((Scores.Length + 1) * confidence);
        return rank > Scores.Length ? 1 : Scores[rank - 1];
    }

    /// <summary>Measures a head on the validation images; null where there are none.</summary>
    internal static HeadCalibration? Measure(HeadLayout layout, float[] parameters, float[] mean, float[] std, FeatureData data)
    {
        if (data.ValidationCount == 0)
        {
            return null;
        }

        using var withoutGradients = torch.no_grad();
        // On the processor in any case, so that a linear head has the same bits wherever it was trained.
        using var network = new HeadNetwork(layout, parameters, mean, std, torch.CPU);
        var classes = layout.Layers[^1].Outputs;
        var logits = new float[checked(data.ValidationCount * classes)];
        for (var first = 0; first < data.ValidationCount; first += RowsAtOnce)
        {
            using var scope = torch.NewDisposeScope();
            var count = Math.Min(RowsAtOnce, data.ValidationCount - first);
            HeadNetwork.Download(network.Logits(data.ReadValidation(first, count))).CopyTo(logits, first * classes);
        }

        return Measure(logits, data.ValidationClasses, classes);
    }

    /// <summary>Measures logits of images that the head has not learnt from.</summary>
    internal static HeadCalibration Measure(float[] logits, int[] labels, int classes)
    {
        var temperature = TemperatureScaling.Fit(logits, labels, classes);
        var probabilities = TemperatureScaling.Probabilities(logits, classes, temperature);
        float[] scores = [.. labels.Select((label, image) => 1 - probabilities[(image * classes) + label])];
        Array.Sort(scores);
        if (scores.Length > MostScores)
        {
            // Each stands for those up to it, so that a threshold is never below that of all.
            scores =
            [
                .. Enumerable.Range(1, MostScores).Select(part => scores[(int)Math.Ceiling((double)part * scores.Length / MostScores) - 1]),
            ];
        }

        return new HeadCalibration(temperature, scores);
    }

    /// <summary>Adds it to a file.</summary>
    internal void AddTo(Dictionary<string, TensorData> tensors, Dictionary<string, string> metadata)
    {
        metadata.Add(TemperatureKey, HeadFile.ToText(Temperature));
        tensors.Add(ScoresName, TensorData.FromValues(Scores, Scores.Length));
    }

    /// <summary>Null for a head that was trained without validation images.</summary>
    internal static HeadCalibration? Read(HeadFile file)
    {
        if (!file.Has(TemperatureKey))
        {
            return null;
        }

        var calibration = new HeadCalibration(file.Double(TemperatureKey), file.ReadAll(ScoresName));
        file.Check(calibration.ThrowIfInvalid);
        return calibration;
    }

    private void ThrowIfInvalid()
    {
        if (!double.IsFinite(Temperature) || Temperature <= 0)
        {
            throw new ArgumentException($"The temperature is {Temperature}; it must be above 0.");
        }

        for (var i = 0; i < Scores.Length; i++)
        {
            if (!(Scores[i] is >= 0 and <= 1) || (i > 0 && Scores[i] < Scores[i - 1]))
            {
                throw new ArgumentException($"The score of number {i} is {Scores[i]}; scores rise from 0 to 1.");
            }
        }
    }
}
