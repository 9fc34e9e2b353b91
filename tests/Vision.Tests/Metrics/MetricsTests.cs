using CsCheck;
using Distributed.Vision.Metrics;

namespace Distributed.Vision.Tests.Metrics;

public sealed class MetricsTests
{
    [Fact]
    public void Metrics_are_scikit_learns()
    {
        var golden = GoldenData.Root.GetProperty("metrics");
        var (count, classes, k) = (
            golden.GetProperty("count").GetInt32(),
            golden.GetProperty("classes").GetInt32(),
            golden.GetProperty("k").GetInt32()
        );
        var logits = Array.ConvertAll(GoldenData.Draw(3, count * classes), value => (float)(value * 4));
        var labels = Array.ConvertAll(GoldenData.Draw(4, count), value => Math.Min((int)(value * classes), classes - 2));
        var added = Array.ConvertAll(GoldenData.Draw(5, count), value => (float)(value * 3));
        for (var i = 0; i < count; i++)
        {
            logits[(i * classes) + labels[i]] += added[i];
            logits[(i * classes) + 4] -= 20;
        }

        var report = ClassificationMetrics.Compute(logits, labels, classes, k);

        double Golden(string key) => golden.GetProperty(key).GetDouble();
        Assert.Equal(Golden("accuracy"), report.Accuracy.Value, 1e-12);
        Assert.Equal(golden.GetProperty("interval").Numbers()[0], report.Accuracy.Low, 1e-12);
        Assert.Equal(golden.GetProperty("interval").Numbers()[1], report.Accuracy.High, 1e-12);
        Assert.Equal(Golden("topK"), report.TopKAccuracy!.Value, 1e-12);
        Assert.Equal(Golden("macroF1"), report.MacroF1, 1e-12);
        Assert.Equal(Golden("crossEntropy"), report.CrossEntropy, 1e-7);
        AssertEqual(golden.GetProperty("precision").Numbers(), report.PerClass.Select(metrics => metrics.Precision ?? 0));
        AssertEqual(golden.GetProperty("recall").Numbers(), report.PerClass.Select(metrics => metrics.Recall ?? 0));
        AssertEqual(golden.GetProperty("f1").Numbers(), report.PerClass.Select(metrics => metrics.F1 ?? 0));
        AssertEqual(golden.GetProperty("support").Numbers(), report.PerClass.Select(metrics => (double)metrics.Support));
        foreach (var (expected, row) in golden.GetProperty("confusion").EnumerateArray().Zip(report.Confusion))
        {
            AssertEqual(expected.Numbers(), row.Select(value => (double)value));
        }
    }

    [Fact]
    public void A_share_of_nothing_is_not_known_and_the_mean_is_over_classes_that_occur()
    {
        // True 0, 0, 1; predicted 0, 2, 1; classes 3 and 4 occur nowhere. scikit-learn 1.2 without labels=: macro F1 (2/3 + 1 + 0) / 3.
        var report = ClassificationMetrics.Compute([9, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0], [0, 0, 1], 5, 5);

        Assert.Equal(
            [(1.0, 0.5, 2 / 3.0), (1, 1, 1), (0, null, 0), (null, null, null), (null, null, null)],
            report.PerClass.Select(metrics => (metrics.Precision, metrics.Recall, metrics.F1))
        );
        Assert.Equal(5 / 9.0, report.MacroF1, 1e-12);
        Assert.Null(report.TopKAccuracy);
    }

    [Fact]
    public void Ties_go_to_the_lower_class()
    {
        var report = ClassificationMetrics.Compute([1, 1, 1], [1], 3, 2);
        Assert.Equal([1, 0, 0], report.Confusion[1].Select((value, column) => column == 0 ? value : 0));
        Assert.Equal(0, report.Accuracy.Value);
        Assert.Equal(1, report.TopKAccuracy!.Value);
        Assert.Equal(Math.Log(3), report.CrossEntropy, 1e-12);
    }

    [Fact]
    public void Extreme_scores_do_not_overflow()
    {
        Assert.Equal(2000, ClassificationMetrics.Compute([1000, -1000], [1], 2, 1).CrossEntropy, 1e-9);
        Assert.Equal(0, ClassificationMetrics.Compute([1000, -1000], [0], 2, 1).CrossEntropy, 1e-9);
    }

    [Fact]
    public void Bad_input_is_named()
    {
        Assert.Contains(
            "label 3",
            Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute([1, 2, 3], [3], 3, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "class 1 for image 0",
            Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute([1, float.NaN, 3], [0], 3, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute([1, 2], [0], 3, 1));
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Compute([], [], 3, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClassificationMetrics.Compute([1, 2, 3], [0], 3, 4));
    }

    [Fact]
    public void Intervals_hold_their_share_and_stay_in_range() =>
        Gen.Int[1, 10_000]
            .SelectMany(trials => Gen.Int[0, trials].Select(successes => (successes, trials)))
            .Sample(drawn =>
            {
                var share = Proportion.Of(drawn.successes, drawn.trials);
                Assert.True(share.Low >= 0 && share.Low <= share.Value && share.Value <= share.High && share.High <= 1);
            });

    private static void AssertEqual(double[] expected, IEnumerable<double> found) =>
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
}
