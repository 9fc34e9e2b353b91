using System.Diagnostics;
using TorchSharp;

namespace Distributed.Vision;

/// <summary>What a trial of the precisions found.</summary>
/// <param name="Precision">The one to use.</param>
/// <param name="Fp32ImagesPerSecond">Speed of the fastest batch in float32.</param>
/// <param name="Bf16ImagesPerSecond">Speed of the fastest batch in bfloat16.</param>
public sealed record PrecisionChoice(Precision Precision, double Fp32ImagesPerSecond, double Bf16ImagesPerSecond);

/// <summary>Chooses the arithmetic by a short measurement: whether bfloat16 is faster cannot be told from a processor's name.</summary>
public static class PrecisionTrial
{
    /// <summary>bfloat16 costs accuracy, so it has to win by this factor.</summary>
    public const double NeededSpeedup = 1.1;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1);

    /// <summary>Measures both precisions for about a second each, after a warm-up.</summary>
    /// <param name="backbone">Its weights are copied.</param>
    /// <param name="size">Height and width of the images to come, pixels.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="batchSize">Images that are computed together.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    public static PrecisionChoice Choose(
        IBackbone backbone, int size, torch.Device device, int batchSize = FeatureExtractor.DefaultBatchSize, CancellationToken cancellationToken = default)
    {
        var fp32 = Measure(backbone, Precision.Fp32, size, device, batchSize, cancellationToken);
        var bf16 = Measure(backbone, Precision.Bf16, size, device, batchSize, cancellationToken);
        return new PrecisionChoice(bf16 > NeededSpeedup * fp32 ? Precision.Bf16 : Precision.Fp32, fp32, bf16);
    }

    private static double Measure(IBackbone backbone, Precision precision, int size, torch.Device device, int batchSize, CancellationToken cancellationToken)
    {
        using var extractor = new FeatureExtractor(backbone, precision, device, batchSize);
        var images = new byte[batchSize * size * size * 3];
        for (var i = 0; i < images.Length; i++)
        {
            images[i] = (byte)i;
        }

        var features = new float[batchSize * extractor.FeatureSize];
        extractor.Extract(images, batchSize, size, features, cancellationToken);
        // The fastest batch, since other processes can only make one slower.
        var fastest = TimeSpan.MaxValue;
        var end = Stopwatch.GetTimestamp() + (long)(Duration.TotalSeconds * Stopwatch.Frequency);
        do
        {
            var start = Stopwatch.GetTimestamp();
            extractor.Extract(images, batchSize, size, features, cancellationToken);
            var elapsed = Stopwatch.GetElapsedTime(start);
            fastest = elapsed < fastest ? elapsed : fastest;
        }
        while (Stopwatch.GetTimestamp() < end);

        return batchSize / fastest.TotalSeconds;
    }
}
