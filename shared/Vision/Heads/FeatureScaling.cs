namespace Distributed.Vision.Heads;

/// <summary>Means and standard deviations of the training features, as scikit-learn's StandardScaler has them.</summary>
internal static class FeatureScaling
{
    /// <summary>Computes them in double precision, in one order whatever the machine, so that the bits never differ.</summary>
    /// <returns>[d] each; a deviation is 1 where all values are the same.</returns>
    /// <exception cref="HeadTrainingException">A feature is not a finite number, or all are the same for all images.</exception>
    public static (float[] Mean, float[] Std) Measure(FeatureData data)
    {
        var count = data.TrainCount;
        var mean = new double[data.FeatureSize];
        ForEachRow(
            data,
            row =>
            {
                for (var i = 0; i < row.Length; i++)
                {
                    mean[i] += row[i];
                }
            }
        );
        for (var i = 0; i < mean.Length; i++)
        {
            mean[i] /= count;
            if (!double.IsFinite(mean[i]))
            {
                throw new HeadTrainingException(
                    $"Feature {i} of a training image is not a finite number: the backbone's weights do not fit its input, or a "
                        + "feature file is damaged."
                );
            }
        }

        var variance = new double[mean.Length];
        ForEachRow(
            data,
            row =>
            {
                for (var i = 0; i < row.Length; i++)
                {
                    variance[i] += (row[i] - mean[i]) * (row[i] - mean[i]);
                }
            }
        );
        var std = new float[mean.Length];
        var constant = 0;
        for (var i = 0; i < std.Length; i++)
        {
            variance[i] /= count;
            var isConstant = IsConstant(variance[i], mean[i], count);
            constant += isConstant ? 1 : 0;
            std[i] = isConstant ? 1 : (float)Math.Sqrt(variance[i]);
        }

        if (constant == std.Length && count > 1)
        {
            throw new HeadTrainingException(
                $"All {count} training images have the same {constant} features, so there is nothing to tell them apart by: the "
                    + "images are all alike, or the backbone's weights let nothing of them through."
            );
        }

        return (Array.ConvertAll(mean, value => (float)value), std);
    }

    /// <summary>Whether a variance is no more than what rounding makes of a constant.</summary>
    private static bool IsConstant(double variance, double mean, int count)
    {
        const double epsilon = 2.220446049250313e-16;
        var rounding = count * mean * epsilon;
        return variance <= (count * epsilon * variance) + (rounding * rounding);
    }

    private static void ForEachRow(FeatureData data, Action<ReadOnlySpan<float>> visit)
    {
        for (var row = 0; row < data.TrainCount; row++)
        {
            visit(data.Row(row));
        }
    }
}
