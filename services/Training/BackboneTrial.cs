using System.Diagnostics;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Splits;
using Distributed.Imaging;
using Distributed.Networks;
using Distributed.Registry;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;

namespace Distributed.Training;

/// <summary>Tries a base on a sample of a run's training images; the test images are never read.</summary>
internal sealed class BackboneTrial(
    DatasetArtifacts artifacts,
    BackboneStore backbones,
    BackboneList list,
    AutotuningCache autotuning,
    TensorThread tensors,
    TensorDevice device
)
{
    /// <summary>Enough for an interval of two or three points.</summary>
    private const int SampleImages = 1000;

    /// <summary>How many of them show how long all will take.</summary>
    private const int FirstImages = 4;

    /// <summary>Draws the sample of a run.</summary>
    /// <returns>Indices of images of the manifest.</returns>
    public static int[] DrawSample(DatasetManifest manifest, RunSpecification specification)
    {
        var split = DatasetSplit.Draw(
            manifest,
            specification.SplitSeed,
            specification.ValidationFraction,
            specification.TestFraction,
            specification.Fold
        );
        var sample = StratifiedSample.Draw(manifest, split.Train, SampleImages);
        return sample.Length >= CrossValidation.Folds
            ? sample
            : throw new DatasetException(
                $"'{manifest.DisplayName}' has {sample.Length} training images, and bases are compared on at least {CrossValidation.Folds}. Add images, or name a base."
            );
    }

    /// <summary>Tries one.</summary>
    /// <param name="run">The run; its images are packed.</param>
    /// <param name="specification">The run's.</param>
    /// <param name="manifest">Its data set.</param>
    /// <param name="position">Place of the base among the candidates.</param>
    /// <param name="seconds">What it may take.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<ComparedBase> RunAsync(
        Run run,
        RunSpecification specification,
        DatasetManifest manifest,
        int position,
        double seconds,
        CancellationToken cancellationToken
    )
    {
        var candidate = CandidateBase.Read(run.Candidates!)[position];
        var sample = DrawSample(manifest, specification);
        var started = Stopwatch.GetTimestamp();
        try
        {
            var backbone = backbones.Load(specification with { Backbone = candidate.Backbone });
            var tuned = await autotuning.MeasureAsync(backbone, candidate.InputSize, cancellationToken);
            var precision = specification.Precision ?? tuned.Precision;
            var pixels = await ReadAsync(run.IngestionKey!, sample, candidate.InputSize, cancellationToken);
            int[] labels = [.. sample.Select(index => manifest.Images[index].Label)];
            return await tensors.RunAsync(
                token =>
                {
                    using var extractor = new FeatureExtractor(backbone, precision, device.Device, tuned.BatchSize);
                    using var threads = TorchEnvironment.WithThreads(tuned.Threads);
                    var first = Math.Min(FirstImages, sample.Length);
                    var begun = Stopwatch.GetTimestamp();
                    extractor.Extract(pixels.AsSpan(0, first * ImageBytes(candidate)), first, candidate.InputSize, token);
                    var needed = Stopwatch.GetElapsedTime(begun).TotalSeconds / first * sample.Length;
                    if (needed > seconds)
                    {
                        return LeftOut(
                            FormattableString.Invariant(
                                $"{sample.Length} images would take it some {needed:F0} s, and its share of compareSeconds is {seconds:F0} s"
                            ),
                            sample.Length / needed
                        );
                    }

                    begun = Stopwatch.GetTimestamp();
                    var features = extractor.Extract(pixels, sample.Length, candidate.InputSize, token);
                    var speed = sample.Length / Stopwatch.GetElapsedTime(begun).TotalSeconds;
                    var right = CrossValidation.Judge(features, labels, manifest.ClassNames.Count, token);
                    return Result(features.Size, speed, right, reason: null);
                },
                cancellationToken
            );
        }
        catch (Exception exception) when (exception is WeightsException or HeadTrainingException)
        {
            return LeftOut(exception.Message, speed: null);
        }

        ComparedBase LeftOut(string reason, double? speed) => Result(features: null, speed, right: null, reason);

        ComparedBase Result(int? features, double? speed, bool[]? right, string? reason)
        {
            var accuracy = right is null ? null : Proportion.Of(right.Count(one => one), right.Length);
            return new ComparedBase
            {
                RunId = run.Id,
                Position = position,
                Backbone = candidate.Backbone,
                InputSize = candidate.InputSize,
                FeatureSize = features,
                Licence = list.Find(candidate.Backbone)?.Licence,
                ImagesPerSecond = speed,
                CorrectBits = right is null ? null : BackboneChoice.Pack(right),
                Accuracy = accuracy?.Value,
                AccuracyLow = accuracy?.Low,
                AccuracyHigh = accuracy?.High,
                Reason = reason,
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            };
        }
    }

    private static int ImageBytes(CandidateBase candidate) => candidate.InputSize * candidate.InputSize * 3;

    /// <summary>The images as the base takes them, out of the squares that were packed for the largest of all candidates.</summary>
    private async Task<byte[]> ReadAsync(string ingestionKey, int[] sample, int size, CancellationToken cancellationToken)
    {
        using var packed = await artifacts.OpenPackedAsync(ingestionKey, cancellationToken);
        var imageBytes = size * size * 3;
        var pixels = new byte[checked(sample.Length * imageBytes)];
        var square = new byte[packed.ImageBytes];
        for (var i = 0; i < sample.Length; i++)
        {
            await packed.ReadAsync(sample[i], 1, square, cancellationToken);
            var image = new RgbImage(packed.Size, packed.Size, square);
            ImageFitting.Fit(image, size, FitMode.Stretch).CopyTo(pixels, i * imageBytes);
        }

        return pixels;
    }
}
