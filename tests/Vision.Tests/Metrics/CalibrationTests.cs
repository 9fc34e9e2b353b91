using System.Text.Json;
using CsCheck;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;

namespace Distributed.Vision.Tests.Metrics;

public sealed class CalibrationTests
{
    private static readonly JsonElement Golden = GoldenData.Evidence.GetProperty("calibration");
    private static readonly int Count = Golden.GetProperty("count").GetInt32();
    private static readonly int Classes = Golden.GetProperty("classes").GetInt32();

    [Fact]
    public void The_temperature_and_the_calibration_error_are_those_of_scipy()
    {
        var (logits, labels) = Draw();

        var temperature = TemperatureScaling.Fit(logits, labels, Classes);
        var reliability = Reliability.Measure(TemperatureScaling.Probabilities(logits, Classes, temperature), labels, Classes);

        Assert.Equal(Golden.GetProperty("temperature").GetDouble(), temperature, 1e-4);
        Assert.Equal(Golden.GetProperty("error").GetDouble(), reliability.Error, 1e-5);
        Assert.Equal(Golden.GetProperty("counts").Numbers(), reliability.Bins.Select(bin => (double)bin.Count));
        Assert.Equal(
            Golden
                .GetProperty("accuracies")
                .EnumerateArray()
                .Select(value => value.ValueKind == JsonValueKind.Null ? -1 : Math.Round(value.GetDouble(), 9)),
            reliability.Bins.Select(bin => Math.Round(bin.Accuracy ?? -1, 9))
        );
    }

    [Theory]
    [InlineData(1f)]
    [InlineData(1e-6f)]
    [InlineData(1e4f)]
    public void There_is_a_temperature_where_every_image_is_right_or_wrong_or_nothing_is_known(float scale)
    {
        float[] right = [scale, 0, 0, scale];

        Assert.InRange(TemperatureScaling.Fit(right, [0, 1], 2), 1e-3, 1e3);
        Assert.InRange(TemperatureScaling.Fit(right, [1, 0], 2), 1e-3, 1e3);
        Assert.Equal(1, TemperatureScaling.Fit([2, 2, 2, 2], [0, 1], 2));
    }

    [Fact]
    public void Of_images_like_those_that_the_sets_were_measured_on_as_many_have_their_class_in_the_set_as_was_asked_for()
    {
        Gen.Int[0, 10_000]
            .Sample(
                seed =>
                {
                    var (logits, labels) = Draw(seed, 1000);
                    var calibration = HeadCalibration.Measure(logits[..(500 * Classes)], labels[..500], Classes);
                    var probabilities = TemperatureScaling.Probabilities(logits.AsSpan(500 * Classes), Classes, calibration.Temperature);
                    foreach (var confidence in (double[])[0.5, 0.8, 0.9, 0.95])
                    {
                        var threshold = calibration.Threshold(confidence);
                        var held = Enumerable
                            .Range(0, 500)
                            .Count(image => 1 - probabilities[(image * Classes) + labels[500 + image]] <= threshold);
                        // Five deviations of the share of the images and of the threshold's own.
                        var deviation = Math.Sqrt(2 * confidence * (1 - confidence) / 500);
                        Assert.InRange(held / 500.0, confidence - (5 * deviation), confidence + (5 * deviation));
                    }
                },
                iter: 50
            );
    }

    [Fact]
    public void With_too_few_images_for_a_confidence_every_class_is_in_the_set()
    {
        var calibration = HeadCalibration.Measure([3, 0, 0, 3, 1, 2], [0, 1, 1], 2);

        Assert.Equal(1, calibration.Threshold(0.9));
        Assert.True(calibration.Threshold(0.5) < 1);
    }

    private static (float[] Logits, int[] Labels) Draw(long seed = 0, int? images = null)
    {
        var count = images ?? Count;
        var logits = Array.ConvertAll(GoldenData.Draw(20 + (seed * 8), count * Classes), value => (float)(value * 12));
        var labels = Array.ConvertAll(GoldenData.Draw(21 + (seed * 8), count), value => (int)(value * Classes));
        var added = Array.ConvertAll(GoldenData.Draw(22 + (seed * 8), count), value => (float)(value * 8));
        for (var i = 0; i < count; i++)
        {
            logits[(i * Classes) + labels[i]] += added[i];
        }

        return (logits, labels);
    }
}
