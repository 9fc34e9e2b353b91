namespace Distributed.Vision.Metrics;

/// <summary>
/// One number that makes a classifier's probabilities mean what they say: its logits are divided by it before the softmax. It changes no
/// decision (Guo et al., On Calibration of Modern Neural Networks, arXiv:1706.04599).
/// </summary>
public static class TemperatureScaling
{
    private const double Lowest = 1e-3;
    private const double Highest = 1e3;
    private const int MostSteps = 100;
    private const double Tolerance = 1e-10;

    /// <summary>
    /// Finds the temperature with the least mean cross-entropy on images that the classifier has not learnt from. Each label counts as
    /// one share in n + 1 spread over all classes (as Platt's targets do), so that there is a least also where every image is right.
    /// </summary>
    /// <param name="logits">Row-major, [labels, classes].</param>
    /// <param name="labels">Zero-based class of each image; at least one.</param>
    /// <param name="classes">Classes, at least 2.</param>
    /// <returns>Above 0: below 1 where the classifier is too unsure, above 1 where it is too sure.</returns>
    /// <exception cref="ArgumentException">Lengths do not fit.</exception>
    public static double Fit(ReadOnlySpan<float> logits, ReadOnlySpan<int> labels, int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        if (labels.IsEmpty || logits.Length != (long)labels.Length * classes)
        {
            throw new ArgumentException(
                $"{labels.Length} images and {classes} classes make {(long)labels.Length * classes} logits, not {logits.Length}; "
                    + "at least one image is needed."
            );
        }

        // In the inverse of the temperature the loss is convex: Newton's method, and halving where it leaves what is still possible.
        var (low, high) = (1 / Highest, 1 / Lowest);
        var inverse = 1.0;
        for (var step = 0; step < MostSteps && high - low > Tolerance * inverse; step++)
        {
            var (slope, curvature) = Differentiate(logits, labels, classes, inverse);
            if (curvature == 0)
            {
                break;
            }

            (low, high) = slope > 0 ? (low, inverse) : (inverse, high);
            var next = inverse - (slope / curvature);
            var isInside = next > low && next < high;
            if (isInside && Math.Abs(next - inverse) <= Tolerance * inverse)
            {
                inverse = next;
                break;
            }

            inverse = isInside ? next : Math.Sqrt(low * high);
        }

        return 1 / inverse;
    }

    /// <summary>Probabilities at a temperature: the softmax of logits divided by it.</summary>
    /// <param name="logits">Row-major, [n, classes].</param>
    /// <param name="classes">Classes.</param>
    /// <param name="temperature">Above 0.</param>
    /// <returns>As many numbers as there are logits.</returns>
    public static float[] Probabilities(ReadOnlySpan<float> logits, int classes, double temperature)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(temperature);
        var probabilities = new float[logits.Length];
        var exponentials = new double[classes];
        for (var start = 0; start < logits.Length; start += classes)
        {
            var sum = Exponentiate(logits.Slice(start, classes), 1 / temperature, exponentials);
            for (var label = 0; label < classes; label++)
            {
                probabilities[start + label] = (float)(exponentials[label] / sum);
            }
        }

        return probabilities;
    }

    private static (double Slope, double Curvature) Differentiate(
        ReadOnlySpan<float> logits,
        ReadOnlySpan<int> labels,
        int classes,
        double inverse
    )
    {
        var spread = 1.0 / (labels.Length + 1);
        var exponentials = new double[classes];
        var (slope, curvature) = (0.0, 0.0);
        for (var i = 0; i < labels.Length; i++)
        {
            var row = logits.Slice(i * classes, classes);
            var sum = Exponentiate(row, inverse, exponentials);
            var (mean, plain) = (0.0, 0.0);
            for (var label = 0; label < classes; label++)
            {
                mean += exponentials[label] / sum * row[label];
                plain += row[label];
            }

            var variance = 0.0;
            for (var label = 0; label < classes; label++)
            {
                variance += exponentials[label] / sum * (row[label] - mean) * (row[label] - mean);
            }

            slope += mean - ((1 - spread) * row[labels[i]]) - (spread * plain / classes);
            curvature += variance;
        }

        return (slope, curvature);
    }

    private static double Exponentiate(ReadOnlySpan<float> logits, double inverse, Span<double> exponentials)
    {
        double highest = float.NegativeInfinity;
        foreach (var logit in logits)
        {
            highest = Math.Max(highest, logit);
        }

        var sum = 0.0;
        for (var label = 0; label < logits.Length; label++)
        {
            exponentials[label] = Math.Exp((logits[label] - highest) * inverse);
            sum += exponentials[label];
        }

        return sum;
    }
}
