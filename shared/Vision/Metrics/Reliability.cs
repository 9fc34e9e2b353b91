namespace Distributed.Vision.Metrics;

/// <summary>Images whose predicted class has a probability within one range.</summary>
/// <param name="Low">Lower end of the range; it does not belong to it, but for 0.</param>
/// <param name="High">Upper end; it belongs to it.</param>
/// <param name="Count">Images.</param>
/// <param name="Confidence">Mean probability of the predicted class; null without images.</param>
/// <param name="Accuracy">Share that is right; null without images.</param>
public sealed record ReliabilityBin(double Low, double High, int Count, double? Confidence, double? Accuracy);

/// <summary>Whether probabilities mean what they say: among the images that are given 0.8, 80 % should be right.</summary>
/// <param name="Error">Expected calibration error: the mean difference of confidence and accuracy over the bins, weighted by their images; 0 to 1.</param>
/// <param name="Bins">Fifteen, equally wide.</param>
public sealed record Reliability(double Error, IReadOnlyList<ReliabilityBin> Bins)
{
    /// <summary>As many as Guo et al. (arXiv:1706.04599) use.</summary>
    public const int BinCount = 15;

    /// <summary>Measures probabilities. Among equal probabilities the lower class is predicted.</summary>
    /// <param name="probabilities">Row-major, [labels, classes].</param>
    /// <param name="labels">Zero-based class of each image; at least one.</param>
    /// <param name="classes">Classes.</param>
    public static Reliability Measure(ReadOnlySpan<float> probabilities, ReadOnlySpan<int> labels, int classes)
    {
        var (counts, sums, right) = (new int[BinCount], new double[BinCount], new int[BinCount]);
        for (var i = 0; i < labels.Length; i++)
        {
            var row = probabilities.Slice(i * classes, classes);
            var predicted = 0;
            for (var label = 1; label < classes; label++)
            {
                predicted = row[label] > row[predicted] ? label : predicted;
            }

            var bin = Math.Clamp((int)Math.Ceiling(row[predicted] * BinCount) - 1, 0, BinCount - 1);
            counts[bin]++;
            sums[bin] += row[predicted];
            right[bin] += predicted == labels[i] ? 1 : 0;
        }

        var error = 0.0;
        var bins = new ReliabilityBin[BinCount];
        for (var bin = 0; bin < BinCount; bin++)
        {
            error += Math.Abs(sums[bin] - right[bin]) / labels.Length;
            bins[bin] = new ReliabilityBin(
                (double)bin / BinCount,
                (double)(bin + 1) / BinCount,
                counts[bin],
                counts[bin] == 0 ? null : sums[bin] / counts[bin],
                counts[bin] == 0 ? null : (double)right[bin] / counts[bin]
            );
        }

        return new Reliability(error, bins);
    }
}
