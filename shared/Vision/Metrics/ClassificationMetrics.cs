namespace Distributed.Vision.Metrics;

/// <summary>A share and how sure it is.</summary>
/// <param name="Value">In [0, 1].</param>
/// <param name="Low">Lower end of the 95 % interval.</param>
/// <param name="High">Upper end of the 95 % interval.</param>
public sealed record Proportion(double Value, double Low, double High)
{
    private const double Z95 = 1.959963984540054;

    /// <summary>The share of successes with its 95 % interval (Wilson: Probable Inference, 1927), which stays in [0, 1] and holds for few trials.</summary>
    /// <param name="successes">0 to <paramref name="trials"/>.</param>
    /// <param name="trials">At least 1.</param>
    public static Proportion Of(long successes, long trials)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(trials, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(successes, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(successes, trials);
        double n = trials;
        var share = successes / n;
        var squared = Z95 * Z95;
        var centre = (share + (squared / (2 * n))) / (1 + (squared / n));
        var half = Z95 / (1 + (squared / n)) * Math.Sqrt((share * (1 - share) / n) + (squared / (4 * n * n)));
        return new Proportion(share, successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half);
    }
}

/// <summary>How well one class is distinguished from the others. A share of nothing is null: it is not known.</summary>
/// <param name="Class">Zero-based.</param>
/// <param name="Precision">Of the images given this class, the share that has it; null where none is given it.</param>
/// <param name="Recall">Of the images that have this class, the share that is given it; null where none has it.</param>
/// <param name="F1">Harmonic mean of the two, 2 hits / (given + support); null for a class that occurs neither in truth nor in prediction.</param>
/// <param name="Support">Images that have this class.</param>
public sealed record ClassMetrics(int Class, double? Precision, double? Recall, double? F1, long Support);

/// <summary>How well a classifier does on labelled images.</summary>
/// <param name="Count">Images.</param>
/// <param name="Classes">Classes.</param>
/// <param name="Accuracy">Share of images whose highest score is their class's.</param>
/// <param name="TopK">What k is.</param>
/// <param name="TopKAccuracy">Share of images whose class is among the k highest scores; null where k is the number of classes, since it would be 1 whatever the scores.</param>
/// <param name="MacroF1">Mean of the classes' F1, over those that occur in truth or prediction.</param>
/// <param name="CrossEntropy">Mean of minus the logarithm of the true class's probability, nats.</param>
/// <param name="PerClass">By class.</param>
/// <param name="Confusion">Images by true class (row) and given class (column).</param>
public sealed record ClassificationReport(
    int Count,
    int Classes,
    Proportion Accuracy,
    int TopK,
    Proportion? TopKAccuracy,
    double MacroF1,
    double CrossEntropy,
    IReadOnlyList<ClassMetrics> PerClass,
    IReadOnlyList<long[]> Confusion
);

/// <summary>Measures classifiers, with the definitions of scikit-learn's <c>classification_report</c>, but for shares of nothing, which are 0 there.</summary>
public static class ClassificationMetrics
{
    /// <summary>Compares scores with labels. Among equal scores the lower class comes first.</summary>
    /// <param name="logits">Row-major, [labels, classes]: logits, or logarithms of probabilities, which are logits too.</param>
    /// <param name="labels">Zero-based class of each image; at least one.</param>
    /// <param name="classes">Classes, at least 1.</param>
    /// <param name="topK">1 to <paramref name="classes"/>.</param>
    /// <exception cref="ArgumentException">Lengths do not fit, or a label or k is out of range, or a score is not a number.</exception>
    public static ClassificationReport Compute(ReadOnlySpan<float> logits, ReadOnlySpan<int> labels, int classes, int topK)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(topK, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(topK, classes);
        if (labels.IsEmpty || logits.Length != (long)labels.Length * classes)
        {
            throw new ArgumentException(
                $"{labels.Length} images and {classes} classes make {(long)labels.Length * classes} scores, not {logits.Length}; "
                    + "at least one image is needed."
            );
        }

        var confusion = new long[classes][];
        for (var i = 0; i < classes; i++)
        {
            confusion[i] = new long[classes];
        }

        var (right, among, loss) = (0L, 0L, 0.0);
        for (var i = 0; i < labels.Length; i++)
        {
            var label = labels[i];
            if (label < 0 || label >= classes)
            {
                throw new ArgumentException($"Image {i} has the label {label}; {classes} classes are 0 to {classes - 1}.", nameof(labels));
            }

            var row = logits.Slice(i * classes, classes);
            var (first, rank, entropy) = Rank(row, label, i);
            confusion[label][first]++;
            right += rank == 0 ? 1 : 0;
            among += rank < topK ? 1 : 0;
            loss += entropy;
        }

        var perClass = Enumerable.Range(0, classes).Select(index => OfClass(confusion, index)).ToList();
        return new ClassificationReport(
            labels.Length,
            classes,
            Proportion.Of(right, labels.Length),
            topK,
            topK < classes ? Proportion.Of(among, labels.Length) : null,
            perClass.Average(metrics => metrics.F1)!.Value,
            loss / labels.Length,
            perClass,
            confusion
        );
    }

    private static (int First, int Rank, double CrossEntropy) Rank(ReadOnlySpan<float> scores, int label, int image)
    {
        var own = scores[label];
        var (first, rank) = (0, 0);
        for (var i = 0; i < scores.Length; i++)
        {
            if (float.IsNaN(scores[i]))
            {
                throw new ArgumentException($"The score of class {i} for image {image} is not a number.", nameof(scores));
            }

            first = scores[i] > scores[first] ? i : first;
            rank += scores[i] > own || (scores[i] == own && i < label) ? 1 : 0;
        }

        double highest = scores[first];
        var sum = 0.0;
        foreach (var score in scores)
        {
            sum += Math.Exp(score - highest);
        }

        return (first, rank, Math.Log(sum) + highest - own);
    }

    private static ClassMetrics OfClass(long[][] confusion, int index)
    {
        var hits = confusion[index][index];
        var support = confusion[index].Sum();
        var given = confusion.Sum(row => row[index]);
        return new ClassMetrics(index, Share(hits, given), Share(hits, support), Share(2 * hits, given + support), support);
    }

    private static double? Share(long part, long whole) => whole == 0 ? null : (double)part / whole;
}
