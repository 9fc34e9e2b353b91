using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Metrics;
using static TorchSharp.torch;

namespace Distributed.Vision.Evidence;

/// <summary>
/// A normal distribution a class with one covariance for all: linear discriminant analysis with a ridge. It answers what a head cannot: how far
/// an image is from all classes (Mahalanobis distance; Lee et al., arXiv:1807.03888), and what a classifier that has not seen a training image
/// says of that image's label.
/// </summary>
/// <remarks>
/// Without one image, its class has another mean, and the scatter is smaller by a matrix of rank one. So the distances without it follow
/// exactly from those with it (Sherman and Morrison), and all images are left out in turn for little more than the price of one
/// model. The ridge and the temperature are those with the least cross-entropy over images that are left out. Call it from one dedicated
/// thread: see <see cref="TensorThread"/>.
/// </remarks>
public sealed class ClassGaussians
{
    private const int RowsAtOnce = 1024;

    /// <summary>Images by which ridge and temperature are chosen.</summary>
    private const int MostChoosing = 2000;

    /// <summary>Shares of the mean variance within classes.</summary>
    private static readonly double[] Ridges = [1e-3, 1e-2, 1e-1, 1, 10];

    private readonly float[] _mean;
    private readonly float[] _deviation;
    private readonly float[] _basis;
    private readonly Metric _metric;
    private readonly double[] _classMeans;
    private readonly double[] _trainingDistances;

    private ClassGaussians(
        float[] mean,
        float[] deviation,
        float[] basis,
        Metric metric,
        double[] classMeans,
        double temperature,
        LeftOut leftOut
    )
    {
        (_mean, _deviation, _basis, _metric, _classMeans) = (mean, deviation, basis, metric, classMeans);
        (LeftOutProbabilities, Temperature) = (leftOut.Values, temperature);
        _trainingDistances = [.. leftOut.Nearest.Where(double.IsFinite).Order()];
    }

    /// <summary>The ridge, as a share of the mean variance within classes.</summary>
    public double Ridge => _metric.Ridge;

    /// <summary>What the logits of images that are left out are divided by.</summary>
    internal double Temperature { get; }

    /// <summary>
    /// Row-major, [images, classes]: probabilities of each image's classes by the model without that image. Of an image that is the only one of its
    /// class they are not numbers: nothing is left to judge it by.
    /// </summary>
    public float[] LeftOutProbabilities { get; }

    /// <summary>Fits the model, and leaves each image out in turn.</summary>
    /// <param name="features">Features of the training images; read several times, and held once.</param>
    /// <param name="labels">Zero-based class of each; at least one class has two images.</param>
    /// <param name="classes">Classes, at least 2.</param>
    /// <param name="cancellationToken">Stops it between steps.</param>
    public static ClassGaussians Fit(IFeatureSource features, int[] labels, int classes, CancellationToken cancellationToken = default) =>
        Fit(features, labels, classes, Ridges, cancellationToken);

    /// <summary>The same with other ridges to choose from.</summary>
    internal static ClassGaussians Fit(
        IFeatureSource features,
        int[] labels,
        int classes,
        IReadOnlyList<double> ridges,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, features.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var counts = new int[classes];
        foreach (var label in labels)
        {
            counts[label]++;
        }

        var rows = StandardRows.Create(features);
        var means = ClassMeans(rows, labels, counts);
        var (variances, axes) = Axes(rows, labels, means, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var projected = Project(rows, axes);
        var projectedMeans = means.mm(axes);
        var model = new Model(projected, labels, counts, projectedMeans);
        int[] some = [.. Enumerable.Range(0, labels.Length).Where(row => row % Math.Max(1, labels.Length / MostChoosing) == 0)];
        var best = (Loss: double.PositiveInfinity, Metric: (Metric?)null, Temperature: 1.0);
        foreach (var ridge in ridges)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var metric = Metric.Create(ridge, variances, features.Size);
            var (loss, temperature) = model.Judge(model.LeaveOut(metric, some), some);
            best = loss < best.Loss ? (loss, metric, temperature) : best;
        }

        var chosen = best.Metric ?? throw new ArgumentException("No class has two images, so none can be left out.", nameof(labels));
        var leftOut = model.LeaveOut(chosen, [.. Enumerable.Range(0, labels.Length)]).ToProbabilities(classes, best.Temperature);
        long[] known = [.. Enumerable.Range(0, classes).Where(label => counts[label] > 0).Select(label => (long)label)];
        return new ClassGaussians(
            rows.Mean,
            rows.Deviation,
            rows.Restore(axes).to(ScalarType.Float32).data<float>().ToArray(),
            chosen,
            projectedMeans.index_select(0, tensor(known)).data<double>().ToArray(),
            best.Temperature,
            leftOut
        );
    }

    /// <summary>How unusual an image is.</summary>
    /// <param name="features">Its features.</param>
    /// <returns>
    /// The Mahalanobis distance to the nearest class mean, and the share of training images that are nearer to theirs when they are left out, 0 to 1: near
    /// 1, the image is unlike all that the model was trained on.
    /// </returns>
    public (double Distance, double Percentile) Measure(ReadOnlySpan<float> features)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(features.Length, _mean.Length);
        var axes = _metric.Weights.Length;
        var projected = new double[axes];
        var square = 0.0;
        for (var i = 0; i < features.Length; i++)
        {
            double value = (features[i] - _mean[i]) / _deviation[i];
            square += value * value;
            var row = _basis.AsSpan(i * axes, axes);
            for (var axis = 0; axis < axes; axis++)
            {
                projected[axis] += value * row[axis];
            }
        }

        // What points out of the space that the training images span varies within no class.
        var outside = Math.Max(square - projected.Sum(value => value * value), 0) / _metric.Floor;
        var nearest = double.PositiveInfinity;
        for (var start = 0; start < _classMeans.Length; start += axes)
        {
            var distance = outside;
            for (var axis = 0; axis < axes; axis++)
            {
                var difference = projected[axis] - _classMeans[start + axis];
                distance += _metric.Weights[axis] * difference * difference;
            }

            nearest = Math.Min(nearest, distance);
        }

        return (Math.Sqrt(nearest), PercentileOf(nearest));
    }

    /// <summary>How unusual many images are: what <see cref="Measure(ReadOnlySpan{float})"/> says of each, to rounding, some ten times as fast.</summary>
    /// <param name="features">Their features.</param>
    /// <param name="cancellationToken">Stops it between parts.</param>
    public (double Distance, double Percentile)[] Measure(FeatureMatrix features, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentOutOfRangeException.ThrowIfNotEqual(features.Size, _mean.Length);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var axes = _metric.Weights.Length;
        var basis = tensor(_basis, [_mean.Length, axes]).to(ScalarType.Float64);
        var weights = tensor(_metric.Weights);
        var means = tensor(_classMeans, [_classMeans.Length / axes, axes]);
        var scaled = means * weights;
        var norms = (scaled * means).sum(dim: 1);
        var (mean, deviation) = (tensor(_mean), tensor(_deviation));
        var measured = new (double Distance, double Percentile)[features.Count];
        ForEachPart(
            features.Count,
            (first, count) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                var values = tensor(features.Values.AsMemory(first * features.Size, count * features.Size), [count, features.Size]);
                var standard = values.sub(mean).div_(deviation).to(ScalarType.Float64);
                var projected = standard.mm(basis);
                var outside = (standard * standard).sum(dim: 1).sub_((projected * projected).sum(dim: 1)).clamp_min_(0).div_(_metric.Floor);
                var own = (projected * projected).mv(weights).add_(outside).unsqueeze(1);
                var nearest = own.add(norms).sub_(projected.mm(scaled.t()).mul_(2)).amin([1]).clamp_min_(0).data<double>().ToArray();
                for (var row = 0; row < count; row++)
                {
                    measured[first + row] = (Math.Sqrt(nearest[row]), PercentileOf(nearest[row]));
                }
            }
        );
        return measured;
    }

    /// <summary>The share of training images, left out in turn, that are nearer to a class than by a squared distance.</summary>
    private double PercentileOf(double nearest)
    {
        var below = Array.BinarySearch(_trainingDistances, nearest);
        return (double)(below < 0 ? ~below : below) / _trainingDistances.Length;
    }

    private static Tensor ClassMeans(StandardRows rows, int[] labels, int[] counts)
    {
        var sums = zeros([counts.Length, rows.Size], ScalarType.Float64);
        ForEachPart(labels.Length, (first, count) => sums.index_add_(0, Rows(labels, first, count), rows.Read(first, count), 1));
        return sums.div_(tensor(Array.ConvertAll(counts, count => Math.Max(count, 1.0))).unsqueeze(1));
    }

    /// <summary>The variances within classes along their principal axes, and the axes in columns.</summary>
    private static (double[] Variances, Tensor Axes) Axes(
        StandardRows rows,
        int[] labels,
        Tensor means,
        CancellationToken cancellationToken
    )
    {
        var scatter = zeros([rows.Size, rows.Size], ScalarType.Float64);
        ForEachPart(
            labels.Length,
            (first, count) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                var part = rows.Read(first, count).sub_(means.index_select(0, Rows(labels, first, count)));
                scatter.addmm_(part.t(), part, 1, 1);
            }
        );
        var (values, vectors) = SymmetricMatrix.Decompose(scatter.div_(labels.Length));
        // Rounding leaves values a little below zero.
        return ([.. values.Select(value => Math.Max(value, 0))], vectors);
    }

    private static Tensor Project(StandardRows rows, Tensor axes)
    {
        var projected = empty([rows.Count, rows.Size], ScalarType.Float32);
        ForEachPart(rows.Count, (first, count) => projected.narrow(0, first, count).copy_(rows.Read(first, count).mm(axes)));
        return projected;
    }

    private static Tensor Rows(int[] rows, int first, int count) =>
        tensor(Array.ConvertAll(rows.AsSpan(first, count).ToArray(), row => (long)row));

    private static void ForEachPart(int rows, Action<int, int> visit)
    {
        for (var first = 0; first < rows; first += RowsAtOnce)
        {
            using var inner = NewDisposeScope();
            visit(first, Math.Min(RowsAtOnce, rows - first));
        }
    }

    /// <summary>What a step along each principal axis counts: one over the variance there plus the floor.</summary>
    private sealed record Metric(double Ridge, double Floor, double[] Weights)
    {
        /// <param name="ridge">Share of the mean variance over all features.</param>
        /// <param name="variances">Along the axes that training images vary in.</param>
        /// <param name="features">Feature dimension.</param>
        public static Metric Create(double ridge, double[] variances, int features)
        {
            var floor = ridge * variances.Sum() / features;
            return new Metric(ridge, floor, Array.ConvertAll(variances, variance => 1 / (variance + floor)));
        }
    }

    /// <summary>Logits, or probabilities, of images that were left out, and their squared distances to the nearest class.</summary>
    private sealed record LeftOut(float[] Values, double[] Nearest)
    {
        public LeftOut ToProbabilities(int classes, double temperature) =>
            this with
            {
                Values = TemperatureScaling.Probabilities(Values, classes, temperature),
            };
    }

    /// <summary>Images and class means in the principal axes.</summary>
    private sealed class Model(Tensor images, int[] labels, int[] counts, Tensor means)
    {
        private int Classes => counts.Length;

        /// <summary>Cross-entropy over images that were left out, at the temperature at which it is least.</summary>
        public (double Loss, double Temperature) Judge(LeftOut leftOut, int[] rows)
        {
            int[] judged = [.. Enumerable.Range(0, rows.Length).Where(row => double.IsFinite(leftOut.Nearest[row]))];
            if (judged.Length == 0)
            {
                return (double.PositiveInfinity, 1);
            }

            float[] logits = [.. judged.SelectMany(row => leftOut.Values.AsSpan(row * Classes, Classes).ToArray())];
            int[] own = [.. judged.Select(row => labels[rows[row]])];
            var temperature = TemperatureScaling.Fit(logits, own, Classes);
            var probabilities = TemperatureScaling.Probabilities(logits, Classes, temperature);
            return (own.Select((label, row) => -Math.Log(Math.Max(probabilities[(row * Classes) + label], 1e-30))).Average(), temperature);
        }

        /// <summary>Logits of images, each by the model without it.</summary>
        public LeftOut LeaveOut(Metric metric, int[] rows)
        {
            var weights = tensor(metric.Weights);
            var scaled = means * weights;
            var norms = (scaled * means).sum(dim: 1);
            var between = norms.unsqueeze(1).add(norms).sub(scaled.mm(means.t()).mul_(2)).data<double>().ToArray();
            var logits = new float[checked(rows.Length * Classes)];
            var nearest = new double[rows.Length];
            ForEachPart(
                rows.Length,
                (first, count) =>
                {
                    var part = images.index_select(0, Rows(rows, first, count)).to(ScalarType.Float64);
                    var own = (part * part).mv(weights).unsqueeze(1);
                    var distances = own.add(norms).sub(part.mm(scaled.t()).mul_(2)).data<double>().ToArray();
                    for (var row = 0; row < count; row++)
                    {
                        var span = distances.AsSpan(row * Classes, Classes);
                        nearest[first + row] = Correct(span, labels[rows[first + row]], between);
                        for (var label = 0; label < Classes; label++)
                        {
                            logits[((first + row) * Classes) + label] = (float)span[label];
                        }
                    }
                }
            );
            return new LeftOut(logits, nearest);
        }

        /// <summary>Turns squared distances with an image to logits without it.</summary>
        /// <returns>The squared distance to the nearest class, not a number where nothing is left of its own.</returns>
        private double Correct(Span<double> distances, int own, double[] between)
        {
            if (counts[own] < 2)
            {
                distances.Fill(double.NaN);
                return double.NaN;
            }

            // The scatter is a mean over all images, so the one that is taken out has the weight of one of them.
            double total = labels.Length;
            double others = counts[own] - 1;
            var grown = counts[own] / others;
            var share = grown / total;
            var self = distances[own];
            var remaining = 1 - (share * self);
            var (nearest, lowest) = (double.PositiveInfinity, double.PositiveInfinity);
            for (var label = 0; label < distances.Length; label++)
            {
                var product = (distances[label] + self - between[(label * distances.Length) + own]) / 2;
                var without = label == own ? grown * grown * self / remaining : distances[label] + (share * product * product / remaining);
                if (counts[label] == 0)
                {
                    // Nothing is known of it: it gets what the least probable class has.
                    distances[label] = double.NaN;
                    continue;
                }

                nearest = Math.Min(nearest, without);
                distances[label] = Math.Log((label == own ? others : counts[label]) / (total - 1)) - (without / 2);
                lowest = Math.Min(lowest, distances[label]);
            }

            foreach (ref var logit in distances)
            {
                logit = double.IsNaN(logit) ? lowest : logit;
            }

            return nearest;
        }
    }
}
