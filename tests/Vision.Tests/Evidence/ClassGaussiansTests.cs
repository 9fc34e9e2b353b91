using System.Text.Json;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Distributed.Vision.Metrics;

namespace Distributed.Vision.Tests.Evidence;

public sealed class ClassGaussiansTests
{
    private static readonly JsonElement Golden = GoldenData.Evidence.GetProperty("leftOut");
    private static readonly int Count = Golden.GetProperty("count").GetInt32();
    private static readonly int Size = Golden.GetProperty("size").GetInt32();
    private static readonly int Classes = Golden.GetProperty("classes").GetInt32();
    private static readonly int[] Labels = [.. Golden.GetProperty("labels").Numbers().Select(label => (int)label)];

    [Fact]
    public void An_image_that_is_left_out_is_judged_as_by_a_model_fitted_without_it()
    {
        var found = ClassGaussians.Fit(Features(), Labels, Classes, [Golden.GetProperty("ridge").GetDouble()]);

        foreach (var (expected, row) in Golden.GetProperty("logits").EnumerateArray().Select((logits, row) => (logits, row)))
        {
            var probabilities = found.LeftOutProbabilities[(row * Classes)..((row + 1) * Classes)];
            if (expected.ValueKind == JsonValueKind.Null)
            {
                // The only image of its class.
                Assert.All(probabilities, probability => Assert.True(float.IsNaN(probability)));
                continue;
            }

            float[] logits = [.. expected.Numbers().Select(logit => (float)logit)];
            var golden = TemperatureScaling.Probabilities(logits, Classes, found.Temperature);
            Assert.All(golden.Zip(probabilities), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        }
    }

    [Fact]
    public void The_distance_of_an_image_and_its_rank_among_training_images_are_those_of_numpy()
    {
        var found = ClassGaussians.Fit(Features(), Labels, Classes, [Golden.GetProperty("ridge").GetDouble()]);
        var query = Features().Row(3).ToArray();
        var added = GoldenData.Draw(32, Size);
        for (var i = 0; i < Size; i++)
        {
            query[i] += (float)(0.3 * added[i]);
        }

        var (distance, percentile) = found.Measure(query);

        Assert.Equal(Golden.GetProperty("distance").GetDouble(), distance, 1e-4);
        Assert.Equal(Golden.GetProperty("percentile").GetDouble(), percentile, 1e-12);
    }

    [Fact]
    public void Many_images_at_once_are_measured_as_each_alone()
    {
        // More than are measured in a part, and some far from all that was trained on.
        var found = ClassGaussians.Fit(Features(), Labels, Classes, TestContext.Current.CancellationToken);
        var images = new FeatureMatrix(
            [.. GoldenData.Draw(33, 1500 * Size).Select((value, i) => (float)value * (1 + (i % 7)))],
            1500,
            Size
        );

        var measured = found.Measure(images, TestContext.Current.CancellationToken);

        Assert.Equal(1500, measured.Length);
        for (var row = 0; row < measured.Length; row++)
        {
            var (distance, percentile) = found.Measure(images.Row(row));
            Assert.Equal(distance, measured[row].Distance, 1e-9 * distance);
            Assert.Equal(percentile, measured[row].Percentile);
        }
    }

    [Fact]
    public void A_class_without_images_is_never_more_probable_than_another()
    {
        var found = ClassGaussians.Fit(Features(), Labels, Classes + 1, TestContext.Current.CancellationToken);

        for (var row = 0; row < Count; row++)
        {
            var probabilities = found.LeftOutProbabilities[(row * (Classes + 1))..((row + 1) * (Classes + 1))];
            if (!float.IsNaN(probabilities[0]))
            {
                Assert.Equal(probabilities.Min(), probabilities[^1]);
            }
        }
    }

    [Fact]
    public void More_features_than_images_are_no_obstacle()
    {
        const int images = 20,
            size = 50;
        var values = Array.ConvertAll(GoldenData.Draw(33, images * size), value => (float)value);
        var labels = new int[images];
        for (var row = 0; row < images; row++)
        {
            labels[row] = row % 2;
            values[row * size] += row % 2 * 4;
        }

        var found = ClassGaussians.Fit(new FeatureMatrix(values, images, size), labels, 2, TestContext.Current.CancellationToken);

        Assert.All(found.LeftOutProbabilities, probability => Assert.InRange(probability, 0, 1));
        Assert.InRange(Enumerable.Range(0, images).Count(row => found.LeftOutProbabilities[(row * 2) + labels[row]] > 0.5), 17, images);
    }

    [Fact]
    public void Classes_of_one_image_each_cannot_be_judged()
    {
        var features = new FeatureMatrix([1, 2, 3, 4], 2, 2);

        Assert.Contains(
            "two images",
            Assert.Throws<ArgumentException>(() => ClassGaussians.Fit(features, [0, 1], 2)).Message,
            StringComparison.Ordinal
        );
    }

    private static FeatureMatrix Features()
    {
        var values = Array.ConvertAll(GoldenData.Draw(30, Count * Size), value => (float)value);
        for (var row = 0; row < Count; row++)
        {
            values[(row * Size) + Labels[row]] += 0.8f;
        }

        return new FeatureMatrix(values, Count, Size);
    }
}
