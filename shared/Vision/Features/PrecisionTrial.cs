using System.Diagnostics;
using TorchSharp;

namespace Distributed.Vision;

/// <summary>What a trial of the precisions and batch sizes found.</summary>
/// <param name="Precision">The one to use.</param>
/// <param name="BatchSize">The fastest number of images to compute together in that precision.</param>
/// <param name="Fp32ImagesPerSecond">Speed of the fastest batch in float32.</param>
/// <param name="Bf16ImagesPerSecond">Speed of the fastest batch in bfloat16.</param>
public sealed record PrecisionChoice(Precision Precision, int BatchSize, double Fp32ImagesPerSecond, double Bf16ImagesPerSecond);

/// <summary>Chooses arithmetic and batch size by a short measurement: whether bfloat16 is faster cannot be told from a processor's name.</summary>
public static class PrecisionTrial
{
    /// <summary>bfloat16 costs accuracy, so it has to win by this factor.</summary>
    public const double NeededSpeedup = 1.1;

    /// <summary>Another batch size than the usual one has to win by this factor, so that chance does not choose it.</summary>
    public const double NeededBatchSpeedup = 1.05;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(0.4);

    /// <summary>Measures both precisions at some batch sizes each, about three seconds in all.</summary>
    /// <param name="backbone">Its weights are copied.</param>
    /// <param name="size">Height and width of the images to come, pixels.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="batchSizes">Those to try, the usual one first; where null, <see cref="FeatureExtractor.DefaultBatchSizeFor"/>, its half and its double.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    public static PrecisionChoice Choose(
        IBackbone backbone, int size, torch.Device device, IReadOnlyList<int>? batchSizes = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        var usual = FeatureExtractor.DefaultBatchSizeFor(size);
        batchSizes ??= [usual, usual / 2, usual * 2];
        var fp32 = Measure(backbone, Precision.Fp32, size, device, batchSizes, cancellationToken);
        var bf16 = Measure(backbone, Precision.Bf16, size, device, batchSizes, cancellationToken);
        return bf16.ImagesPerSecond > NeededSpeedup * fp32.ImagesPerSecond
            ? new PrecisionChoice(Precision.Bf16, bf16.BatchSize, fp32.ImagesPerSecond, bf16.ImagesPerSecond)
            : new PrecisionChoice(Precision.Fp32, fp32.BatchSize, fp32.ImagesPerSecond, bf16.ImagesPerSecond);
    }

    private static (int BatchSize, double ImagesPerSecond) Measure(
        IBackbone backbone, Precision precision, int size, torch.Device device, IReadOnlyList<int> batchSizes, CancellationToken cancellationToken)
    {
        using var converted = backbone.ConvertTo(precision, device);
        var (best, speed) = (batchSizes[0], 0.0);
        foreach (var batchSize in batchSizes)
        {
            var found = Measure(converted, size, batchSize, cancellationToken);
            if (found > speed * NeededBatchSpeedup)
            {
                (best, speed) = (batchSize, found);
            }
        }

        return (best, speed);
    }

    private static double Measure(IBackbone backbone, int size, int batchSize, CancellationToken cancellationToken)
    {
        using var images = torch.randint(0, 256, [batchSize, size, size, 3], dtype: torch.ScalarType.Byte);
        backbone.Features(images).Dispose();
        // The fastest batch, since other processes can only make one slower.
        var fastest = TimeSpan.MaxValue;
        var begin = Stopwatch.GetTimestamp();
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            using var features = backbone.Features(images);
            // The copy waits for a device that computes by itself.
            using var copy = features.cpu();
            var elapsed = Stopwatch.GetElapsedTime(start);
            fastest = elapsed < fastest ? elapsed : fastest;
        }
        while (Stopwatch.GetElapsedTime(begin) < Duration);

        return batchSize / fastest.TotalSeconds;
    }
}
