using System.Diagnostics;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Engines;

/// <summary>What autotuning found for precision, batch size and threads.</summary>
/// <param name="Precision">The one to use.</param>
/// <param name="BatchSize">The fastest number of images to compute together in that precision.</param>
/// <param name="Threads">The fastest number of threads.</param>
/// <param name="ImagesPerSecond">Speed of every precision at the usual batch size.</param>
public sealed record AutotuningResult(
    Precision Precision,
    int BatchSize,
    int Threads,
    IReadOnlyDictionary<Precision, double> ImagesPerSecond
);

/// <summary>Chooses arithmetic, batch size and threads by a short measurement: a processor's name does not show whether bfloat16 is faster.</summary>
public static class Autotuner
{
    /// <summary>A half precision costs accuracy, so it has to win by this factor.</summary>
    public const double NeededSpeedup = 1.1;

    /// <summary>A precision that is faster by this factor the first time needs no second.</summary>
    internal const double ClearSpeedup = 2;

    /// <summary>Another batch size or number of threads than the usual one has to win by this factor, so that chance does not choose it.</summary>
    public const double NeededBatchSpeedup = 1.05;

    /// <summary>With fewer threads than these, half of them is no choice: processors of two threads a core have at least four.</summary>
    public const int LeastThreads = 4;

    /// <summary>Where repetitions of one measurement differ by this part, batch sizes cannot be distinguished.</summary>
    private const double LargestSpread = 0.2;

    private const int Rounds = 4;

    /// <summary>Images of a first look, at 96 px.</summary>
    private const int GlanceImages = 16;

    /// <summary>
    /// Measures the precisions, then some batch sizes of the fastest, unless it takes any, then half the threads, where two threads may
    /// share a core.
    /// </summary>
    /// <param name="backbone">Its weights are copied.</param>
    /// <param name="size">Height and width of the images to come, pixels.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="batchSizes">Those to try, the usual one first; where null, <see cref="FeatureExtractor.DefaultBatchSizeFor"/>, its half and its double.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    public static AutotuningResult Choose(
        IBackbone backbone,
        int size,
        torch.Device device,
        IReadOnlyList<int>? batchSizes = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ArgumentNullException.ThrowIfNull(device);
        var isGpu = device.type == DeviceType.CUDA;
        var usual = FeatureExtractor.DefaultBatchSizeFor(size, device.type);
        batchSizes ??= [usual, usual / 2, usual * 2];
        var sides = new List<(Precision Precision, IBackbone Backbone)>();
        try
        {
            foreach (var precision in Candidates(device))
            {
                try
                {
                    sides.Add((precision, backbone.ConvertTo(precision, device)));
                }
                catch (WeightsException) when (precision != Precision.Fp32)
                {
                    // Some weights are beyond the numbers of this precision, which is no choice for them then.
                }
            }

            // A GPU computes few images in any precision alike: it waits for the program to say what comes next.
            var glance = isGpu
                ? batchSizes[0]
                : Math.Max(1, batchSizes[0] * GlanceImages / FeatureExtractor.DefaultBatchSizeFor(96, device.type));
            var allThreads = torch.get_num_threads();
            var speeds = Compete(
                size,
                [.. sides.Select(side => (side.Backbone, new BatchSamples(glance, allThreads)))],
                IsClear,
                cancellationToken
            );
            var chosen = sides[ChoosePrecision(speeds)];
            var batch = Choose([
                .. batchSizes
                    .Take(chosen.Backbone.TakesAnyBatch ? 1 : batchSizes.Count)
                    .Select(batchSize => new BatchSamples(batchSize, allThreads)),
            ]);
            var threads =
                !isGpu && allThreads >= LeastThreads
                    ? Choose([new BatchSamples(batch.BatchSize, allThreads), new BatchSamples(batch.BatchSize, allThreads / 2)]).Threads
                    : allThreads;
            return new AutotuningResult(
                chosen.Precision,
                batch.BatchSize,
                threads,
                sides.Zip(speeds).ToDictionary(pair => pair.First.Precision, pair => pair.Second.Fastest)
            );

            // Most often nothing is ahead of the usual one, and a look at each is enough to see it.
            BatchSamples Choose(BatchSamples[] candidates) =>
                candidates is [var only]
                    ? only
                    : ChooseUsual(
                        Compete(
                            size,
                            [.. candidates.Select(candidate => (chosen.Backbone, candidate))],
                            measured => ChooseUsual(measured) == measured[0],
                            cancellationToken
                        )
                    );
        }
        finally
        {
            sides.ForEach(side => side.Backbone.Dispose());
        }
    }

    /// <summary>Whether a look at each is enough: what disturbs a machine for one of them does not make the other twice as fast.</summary>
    internal static bool IsClear(IReadOnlyList<BatchSamples> speeds) => speeds.Max(side => side.Fastest) > ClearSpeedup * speeds[0].Fastest;

    /// <summary>float32, which comes first, unless another precision is faster beyond doubt.</summary>
    internal static int ChoosePrecision(IReadOnlyList<BatchSamples> speeds)
    {
        var best = speeds.Index().MaxBy(side => side.Item.Fastest);
        return best.Item.Fastest > NeededSpeedup * speeds[0].Fastest ? best.Index : 0;
    }

    /// <summary>The first one, which is the usual one, unless another is faster beyond doubt.</summary>
    internal static BatchSamples ChooseUsual(IReadOnlyList<BatchSamples> candidates)
    {
        var (usual, best) = (candidates[0], candidates.MaxBy(samples => samples.Fastest)!);
        var certain = candidates.All(samples => samples.Spread < LargestSpread);
        return certain && best.Fastest > NeededBatchSpeedup * usual.Fastest ? best : usual;
    }

    /// <summary>
    /// No processor computes convolutions in float16 that does not in bfloat16; GPUs before Ampere do. One without instructions for
    /// bfloat16 computes in it by way of float32, which is slower whatever the network, and takes seconds to find out.
    /// </summary>
    private static IEnumerable<Precision> Candidates(torch.Device device) =>
        device.type == DeviceType.CUDA ? [Precision.Fp32, Precision.Bf16, Precision.Fp16]
        : InstructionSet.LacksBfloat16 ? [Precision.Fp32]
        : [Precision.Fp32, Precision.Bf16];

    /// <summary>All take turns, so that what disturbs the machine for a while disturbs all of them. The first batch, which also does what is done once, does not count.</summary>
    private static BatchSamples[] Compete(
        int size,
        (IBackbone Backbone, BatchSamples Samples)[] sides,
        Func<BatchSamples[], bool> isDecided,
        CancellationToken cancellationToken
    )
    {
        BatchSamples[] samples = [.. sides.Select(side => side.Samples)];
        foreach (var (backbone, _) in sides.DistinctBy(side => side.Backbone))
        {
            Measure(backbone, size, 1, torch.get_num_threads());
        }

        for (var round = 0; round < Rounds && (round == 0 || !isDecided(samples)); round++)
        {
            foreach (var (backbone, measured) in sides)
            {
                cancellationToken.ThrowIfCancellationRequested();
                measured.Add(Measure(backbone, size, measured.BatchSize, measured.Threads));
            }
        }

        return samples;
    }

    /// <summary>Images a second of one batch; none where the device has not the memory.</summary>
    private static double Measure(IBackbone backbone, int size, int batchSize, int threads)
    {
        using var scope = TorchEnvironment.WithThreads(threads);
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

/// <summary>Repeated measurements of one batch size on some threads, images a second.</summary>
internal sealed class BatchSamples(int batchSize, int threads)
{
    private readonly List<double> _samples = [];

    public int BatchSize => batchSize;

    public int Threads => threads;

    /// <summary>The one to go by, since other processes can only make a batch slower.</summary>
    public double Fastest => _samples.Max();

    /// <summary>How far the median is below the fastest, as a part of it.</summary>
    public double Spread => Fastest == 0 ? 0 : 1 - (_samples.Order().ElementAt(_samples.Count / 2) / Fastest);

    public void Add(double imagesPerSecond) => _samples.Add(imagesPerSecond);
}
