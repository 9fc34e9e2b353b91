using System.Numerics.Tensors;
using Distributed.Artifacts;
using Distributed.Datasets;
using Distributed.Datasets.Splits;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;

namespace Distributed.Evaluation;

/// <summary>What a head made of the test split.</summary>
/// <param name="Report">The figures.</param>
/// <param name="Predictions">What was predicted for each test image, in the order of the split.</param>
/// <param name="Temperature">What the logits were divided by for the probabilities.</param>
/// <param name="Reliability">Whether the probabilities mean what they say.</param>
/// <param name="UncalibratedError">Expected calibration error of the probabilities at the temperature 1.</param>
internal sealed record EvaluatedHead(
    ClassificationReport Report,
    IReadOnlyList<TestPrediction> Predictions,
    double Temperature,
    Reliability Reliability,
    double UncalibratedError
)
{
    /// <summary>Evaluates a head.</summary>
    /// <param name="head">The head.</param>
    /// <param name="features">Features of all images of the manifest.</param>
    /// <param name="manifest">The data set.</param>
    /// <param name="split">Its splits; only test is looked at.</param>
    /// <param name="topK">Guesses that count for the top-k accuracy.</param>
    public static EvaluatedHead Evaluate(TrainedHead head, IFeatureSource features, DatasetManifest manifest, DatasetSplit split, int topK)
    {
        int[] labels = [.. split.Test.Select(row => manifest.Images[row].Label)];
        var logits = head.Logits(new FeatureSubset(features, split.Test));
        var probabilities = head.Probabilities(logits);
        return new EvaluatedHead(
            ClassificationMetrics.Compute(logits, labels, head.Classes, Math.Min(topK, head.Classes)),
            [.. split.Test.Select((row, test) => Predict(row, labels[test], probabilities.AsSpan(test * head.Classes, head.Classes)))],
            head.Temperature,
            Reliability.Measure(probabilities, labels, head.Classes),
            Reliability.Measure(TemperatureScaling.Probabilities(logits, head.Classes, temperature: 1), labels, head.Classes).Error
        );
    }

    /// <summary>The accuracy on those test images that are not among some others; null where none is left.</summary>
    public Proportion? AccuracyWithout(IReadOnlySet<int> images)
    {
        var left = Predictions.Where(prediction => !images.Contains(prediction.Image)).ToList();
        return left.Count == 0 ? null : Proportion.Of(left.Count(prediction => prediction.IsRight), left.Count);
    }

    /// <summary>Among equal probabilities the lowest class is named.</summary>
    private static TestPrediction Predict(int row, int label, ReadOnlySpan<float> probabilities)
    {
        var best = TensorPrimitives.IndexOfMax(probabilities);
        return new TestPrediction(row, label, best, probabilities[best], probabilities[label]);
    }
}
