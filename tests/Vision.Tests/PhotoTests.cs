using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Tests;

/// <summary>All parts on real photos, where a variable says where they are.</summary>
public sealed class PhotoTests
{
    private const int Size = 96;
    private const int ImageLength = Size * Size * 3;

    [Fact]
    public void Demo_weights_and_a_linear_head_tell_small_photos_apart()
    {
        var folder = Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_DATA") is { Length: > 0 } data ? FindBinaries(data) : null;
        Assert.SkipWhen(folder is null, "DISTRIBUTED_TEST_DATA names no folder with photos in STL-10's layout.");
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        using var extractor = new FeatureExtractor(backbone, Precision.Fp32, torch.CPU);
        var (train, trainLabels) = Read(extractor, folder!, "train");
        var (test, testLabels) = Read(extractor, folder!, "test");
        using var features = FeatureData.Create(train, trainLabels, [.. Enumerable.Range(0, train.Count)], [], torch.CPU);
        var start = AdamTrainer.Start(HeadDefinition.Linear, new(30, 64, 1e-3, 1e-2, 0, 0), features, 10);

        var head = TrainedHead.Load(AdamTrainer.Train(start, features, () => false).State.ExportBest());

        var report = ClassificationMetrics.Compute(head.Logits(test), testLabels, 10, 5);
        TestContext.Current.SendDiagnosticMessage(
            $"Accuracy {report.Accuracy}, top 5 {report.TopKAccuracy?.Value}, cross-entropy {report.CrossEntropy}"
        );
        Assert.True(report.Accuracy.Value > 0.8, $"{report.Accuracy}");
    }

    private static (FeatureMatrix Features, int[] Labels) Read(FeatureExtractor extractor, string folder, string part)
    {
        var planes = File.ReadAllBytes(Path.Combine(folder, part + "_X.bin"));
        var labels = File.ReadAllBytes(Path.Combine(folder, part + "_y.bin"));
        var pixels = new byte[planes.Length];
        for (var image = 0; image < labels.Length; image++)
        {
            for (var i = 0; i < ImageLength; i++)
            {
                // Channel, column, row to row, column, channel.
                var (channel, column, row) = (i / (Size * Size), i / Size % Size, i % Size);
                pixels[(image * ImageLength) + (((row * Size) + column) * 3) + channel] = planes[(image * ImageLength) + i];
            }
        }

        return (extractor.Extract(pixels, labels.Length, Size), Array.ConvertAll(labels, label => label - 1));
    }

    private static string? FindBinaries(string data) =>
        Directory.Exists(data)
            ? Directory.EnumerateFiles(data, "train_X.bin", SearchOption.AllDirectories).Select(Path.GetDirectoryName).FirstOrDefault()
            : null;
}
