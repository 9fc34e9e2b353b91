using Distributed.Datasets;
using Distributed.Datasets.Splits;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;

namespace Distributed.Evaluation;

/// <summary>What a head made of the test split.</summary>
/// <param name="Report">The figures.</param>
/// <param name="Images">Rows of the test images in the manifest.</param>
/// <param name="Labels">Their true classes.</param>
/// <param name="Probabilities">Their probabilities, row-major.</param>
internal sealed record EvaluatedHead(ClassificationReport Report, int[] Images, int[] Labels, float[] Probabilities)
{
    /// <summary>Evaluates a head.</summary>
    /// <param name="head">The head.</param>
    /// <param name="features">Features of all images of the manifest.</param>
    /// <param name="manifest">The data set.</param>
    /// <param name="split">Its splits; only test is looked at.</param>
    /// <param name="topK">Guesses that count for the top-k accuracy.</param>
    public static EvaluatedHead Evaluate(TrainedHead head, FeatureMatrix features, DatasetManifest manifest, DatasetSplit split, int topK)
    {
        int[] labels = [.. split.Test.Select(row => manifest.Images[row].Label)];
        var test = features.Select(split.Test);
        var report = ClassificationMetrics.Compute(head.Logits(test), labels, head.Classes, Math.Min(topK, head.Classes));
        return new EvaluatedHead(report, split.Test, labels, head.Probabilities(test));
    }

    /// <summary>Probabilities of the classes of one test image.</summary>
    public ReadOnlySpan<float> ProbabilitiesOf(int test) => Probabilities.AsSpan(test * Report.Classes, Report.Classes);

    /// <summary>The class that is predicted for a test image: the lowest of the most probable ones.</summary>
    public int PredictedOf(int test)
    {
        var probabilities = ProbabilitiesOf(test);
        var best = 0;
        for (var label = 1; label < probabilities.Length; label++)
        {
            if (probabilities[label] > probabilities[best])
            {
                best = label;
            }
        }

        return best;
    }
}
