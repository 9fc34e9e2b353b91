using System.Diagnostics;
using TorchSharp;

namespace Distributed.Vision;

/// <summary>What a trial of the precisions and batch sizes found.</summary>
/// <param name="Precision">The one to use.</param>
/// <param name="BatchSize">The fastest number of images to compute together in that precision.</param>
/// <param name="ImagesPerSecond">Speed of every precision at the usual batch size.</param>
public sealed record PrecisionChoice(Precision Precision, int BatchSize, IReadOnlyDictionary<Precision, double> ImagesPerSecond);

/// <summary>Chooses arithmetic and batch size by a short measurement: whether bfloat16 is faster cannot be told from a processor's name.</summary>
public static class PrecisionTrial
{
    /// <summary>A half precision costs accuracy, so it has to win by this factor.</summary>
    public const double NeededSpeedup = 1.1;

    /// <summary>Another batch size than the usual one has to win by this factor, so that chance does not choose it.</summary>
    public const double NeededBatchSpeedup = 1.05;

    /// <summary>Where repetitions of one measurement differ by this part, batch sizes cannot be told apart.</summary>
    private const double LargestSpread = 0.2;

    private const int Rounds = 4;

    /// <summary>Images of a first look, at 96 px.</summary>
    private const int GlanceImages = 16;

    /// <summary>Measures the precisions, then some batch sizes of the fastest: half a second where 900 images a second are computed.</summary>
    /// <param name="backbone">Its weights are copied.</param>
    /// <param name="size">Height and width of the images to come, pixels.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="batchSizes">Those to try, the usual one first; where null, <see cref="FeatureExtractor.DefaultBatchSizeFor"/>, its half and its double.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    public static PrecisionChoice Choose(
        IBackbone backbone, int size, torch.Device device, IReadOnlyList<int>? batchSizes = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(device);
        var usual = FeatureExtractor.DefaultBatchSizeFor(size);
        batchSizes ??= [usual, usual / 2, usual * 2];
        var sides = Candidates(device).Select(precision => (Precision: precision, Backbone: backbone.ConvertTo(precision, device))).ToList();
        try
        {
            var glance = Math.Max(1, batchSizes[0] * GlanceImages / FeatureExtractor.DefaultBatchSizeFor(96));
            var speeds = Compete(size, [.. sides.Select(side => (side.Backbone, new BatchSamples(glance)))], isDecided: _ => false, cancellationToken);
            var chosen = sides[ChoosePrecision(speeds)];
            // Most often no other size is ahead, and a look at each is enough to see it.
            var batches = Compete(
                size,
                [.. batchSizes.Select(batchSize => (chosen.Backbone, new BatchSamples(batchSize)))],
                sizes => ChooseBatchSize(sizes) == sizes[0].BatchSize,
                cancellationToken);
            return new PrecisionChoice(chosen.Precision, ChooseBatchSize(batches), sides.Zip(speeds).ToDictionary(pair => pair.First.Precision, pair => pair.Second.Fastest));
        }
        finally
        {
            sides.ForEach(side => side.Backbone.Dispose());
        }
    }

    /// <summary>float32, which comes first, unless another precision is faster beyond doubt.</summary>
    internal static int ChoosePrecision(IReadOnlyList<BatchSamples> speeds)
    {
        var best = speeds.Index().MaxBy(side => side.Item.Fastest);
        return best.Item.Fastest > NeededSpeedup * speeds[0].Fastest ? best.Index : 0;
    }

    /// <summary>The first size, which is the usual one, unless another is faster beyond doubt.</summary>
    internal static int ChooseBatchSize(IReadOnlyList<BatchSamples> sizes)
    {
        var (usual, best) = (sizes[0], sizes.MaxBy(samples => samples.Fastest)!);
        var certain = sizes.All(samples => samples.Spread < LargestSpread);
        return certain && best.Fastest > NeededBatchSpeedup * usual.Fastest ? best.BatchSize : usual.BatchSize;
    }

    /// <summary>No processor computes convolutions in float16 that does not in bfloat16; GPUs before Ampere do.</summary>
    private static IEnumerable<Precision> Candidates(torch.Device device) =>
        device.type == DeviceType.CUDA ? [Precision.Fp32, Precision.Bf16, Precision.Fp16] : [Precision.Fp32, Precision.Bf16];

    /// <summary>All take turns, so that what disturbs the machine for a while disturbs all of them. The first batch, which also does what is done once, does not count.</summary>
    private static BatchSamples[] Compete(
        int size, (IBackbone Backbone, BatchSamples Samples)[] sides, Func<BatchSamples[], bool> isDecided, CancellationToken cancellationToken)
    {
        BatchSamples[] samples = [.. sides.Select(side => side.Samples)];
        foreach (var (backbone, _) in sides.DistinctBy(side => side.Backbone))
        {
            Measure(backbone, size, 1);
        }

        for (var round = 0; round < Rounds && (round == 0 || !isDecided(samples)); round++)
        {
            foreach (var (backbone, measured) in sides)
            {
                cancellationToken.ThrowIfCancellationRequested();
                measured.Add(Measure(backbone, size, measured.BatchSize));
            }
        }

        return samples;
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
