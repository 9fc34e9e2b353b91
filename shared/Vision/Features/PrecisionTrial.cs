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

    /// <summary>Where repetitions of one measurement differ by this part, batch sizes cannot be told apart.</summary>
    private const double LargestSpread = 0.2;

    /// <summary>A precision that is slower by this factor at first sight is not looked at further.</summary>
    private const double HopelessFactor = 2;

    private const int GlanceImages = 4, LeastRounds = 3;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(2.5);

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
        using var fp32 = backbone.ConvertTo(Precision.Fp32, device);
        using var bf16 = backbone.ConvertTo(Precision.Bf16, device);
        var (fp32Glance, bf16Glance) = (Glance(fp32, size), Glance(bf16, size));
        var fp32Samples = NewSamples(fp32Glance, bf16Glance);
        var bf16Samples = NewSamples(bf16Glance, fp32Glance);
        Compete(size, [.. fp32Samples.Select(samples => (fp32, samples)), .. bf16Samples.Select(samples => (bf16, samples))], cancellationToken);
        var fp32Speed = fp32Samples.Select(samples => samples.Fastest).DefaultIfEmpty(fp32Glance).Max();
        var bf16Speed = bf16Samples.Select(samples => samples.Fastest).DefaultIfEmpty(bf16Glance).Max();
        return bf16Samples.Length > 0 && (fp32Samples.Length == 0 || bf16Speed > NeededSpeedup * fp32Speed)
            ? new PrecisionChoice(Precision.Bf16, ChooseBatchSize(bf16Samples), fp32Speed, bf16Speed)
            : new PrecisionChoice(Precision.Fp32, ChooseBatchSize(fp32Samples), fp32Speed, bf16Speed);

        BatchSamples[] NewSamples(double glance, double other) =>
            glance * HopelessFactor < other ? [] : [.. batchSizes.Select(batchSize => new BatchSamples(batchSize))];
    }

    /// <summary>The first size, which is the usual one, unless another is faster beyond doubt.</summary>
    internal static int ChooseBatchSize(IReadOnlyList<BatchSamples> sizes)
    {
        var (usual, best) = (sizes[0], sizes.MaxBy(samples => samples.Fastest)!);
        var certain = sizes.All(samples => samples.Spread < LargestSpread);
        return certain && best.Fastest > NeededBatchSpeedup * usual.Fastest ? best.BatchSize : usual.BatchSize;
    }

    /// <summary>Images a second of a few images: enough to see which precision is hopeless. The first batch also does what is done once.</summary>
    private static double Glance(IBackbone backbone, int size) =>
        Enumerable.Range(0, 1 + LeastRounds).Max(_ => Measure(backbone, size, GlanceImages));

    /// <summary>All take turns, so that what disturbs the machine for a while disturbs all of them.</summary>
    private static void Compete(int size, (IBackbone Backbone, BatchSamples Samples)[] sides, CancellationToken cancellationToken)
    {
        var begin = Stopwatch.GetTimestamp();
        for (var round = 0; round < LeastRounds || Stopwatch.GetElapsedTime(begin) < Duration; round++)
        {
            foreach (var (backbone, samples) in sides)
            {
                cancellationToken.ThrowIfCancellationRequested();
                samples.Add(Measure(backbone, size, samples.BatchSize));
            }
        }
    }

    /// <summary>Images a second of one batch; none where the device has not the memory.</summary>
    private static double Measure(IBackbone backbone, int size, int batchSize)
    {
        using var images = torch.randint(0, 256, [batchSize, size, size, 3], dtype: torch.ScalarType.Byte);
        var start = Stopwatch.GetTimestamp();
        try
        {
            using var features = backbone.Features(images);
            // The copy waits for a device that computes by itself.
            using var copy = features.cpu();
            return batchSize / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        catch (Exception error) when (DeviceErrors.IsOutOfMemory(error))
        {
            return 0;
        }
    }
}

/// <summary>Repeated measurements of one batch size, images a second.</summary>
internal sealed class BatchSamples(int batchSize)
{
    private readonly List<double> _samples = [];

    public int BatchSize => batchSize;

    /// <summary>The one to go by, since other processes can only make a batch slower.</summary>
    public double Fastest => _samples.Max();

    /// <summary>How far the median is below the fastest, as a part of it.</summary>
    public double Spread => Fastest == 0 ? 0 : 1 - (_samples.Order().ElementAt(_samples.Count / 2) / Fastest);

    public void Add(double imagesPerSecond) => _samples.Add(imagesPerSecond);
}
