using System.Globalization;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>
/// Trains heads by Adam, in slices. Wherever slices are cut, the result has the same bits: batch order and dropout are drawn from
/// (seed, epoch, batch), and on a CPU one thread computes, so that the number of cores does not matter either.
/// </summary>
/// <remarks>
/// The best epoch is the one with the highest validation accuracy, among equals the one with the smallest loss, among these
/// the first; without validation images it is the last. Call it from one dedicated thread: see <see cref="IBackbone"/>.
/// </remarks>
public static class AdamTrainer
{
    private const int RowsAtOnce = 4096;

    /// <summary>Prepares training: draws weights, and measures means and deviations of the training features.</summary>
    /// <param name="definition">What to train.</param>
    /// <param name="options">How.</param>
    /// <param name="data">From what.</param>
    /// <param name="classes">Classes, at least 2; labels are below it.</param>
    /// <exception cref="ArgumentException">Definition, options or labels are out of range.</exception>
    /// <exception cref="HeadTrainingException">The features are not finite numbers.</exception>
    public static AdamState Start(HeadDefinition definition, AdamOptions options, FeatureData data, int classes)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(data);
        options.ThrowIfInvalid();
        var layout = new HeadLayout(definition, data.FeatureSize, classes);
        HeadTraining.ThrowIfOutOfRange(data, classes);
        var (mean, std) = data.MeasureScaling();
        var parameters = layout.Draw(options.Seed);
        return new AdamState
        {
            Definition = definition,
            Options = options,
            FeatureSize = data.FeatureSize,
            Classes = classes,
            Mean = mean,
            Std = std,
            Parameters = parameters,
            FirstMoment = new float[layout.Length],
            SecondMoment = new float[layout.Length],
            Best = parameters,
        };
    }

    /// <summary>Trains from a state until training is over or the slice is to end, at least one batch.</summary>
    /// <param name="state">From <see cref="Start"/>, an earlier slice, or a checkpoint. It stays as it is.</param>
    /// <param name="data">The same data in every slice.</param>
    /// <param name="shouldStop">Asked after every batch whether the slice is to end.</param>
    /// <param name="onEpoch">Receives the metrics of every epoch that ends.</param>
    /// <param name="cancellationToken">Cancels the slice between batches.</param>
    /// <exception cref="ArgumentException">The data do not fit the state.</exception>
    /// <exception cref="HeadTrainingException">The loss is no longer a finite number.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing of the slice is kept.</exception>
    public static (AdamState State, IReadOnlyList<EpochMetrics> Epochs) Train(
        AdamState state,
        FeatureData data,
        Func<bool> shouldStop,
        Action<EpochMetrics>? onEpoch = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(shouldStop);
        if (data.FeatureSize != state.FeatureSize || (long)state.Batch * state.Options.BatchSize >= data.TrainCount)
        {
            throw new ArgumentException(
                $"The data are not those that training began with: {data.TrainCount} training images of {data.FeatureSize} "
                    + $"features, where batch {state.Batch} of {state.Options.BatchSize} images of {state.FeatureSize} features comes "
                    + "next.",
                nameof(data)
            );
        }

        using var threads = data.Features.device_type == DeviceType.CPU ? TorchEnvironment.WithThreads(1) : null;
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        using var slice = new AdamSlice(state, data);
        var epochs = new List<EpochMetrics>();
        while (!slice.Finished)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (slice.TrainBatch() is { } metrics)
            {
                epochs.Add(metrics);
                onEpoch?.Invoke(metrics);
            }

            if (shouldStop())
            {
                break;
            }
        }

        var after = slice.ToState();
        return (
            after.Finished
                ? after with
                {
                    Calibration = HeadCalibration.Measure(after.Layout, after.Best, after.Mean, after.Std, data),
                }
                : after,
            epochs
        );
    }

    /// <summary>Mean loss and accuracy of a head over the validation images.</summary>
    internal static (double Loss, double Accuracy) Validate(HeadNetwork network, FeatureData data)
    {
        var (loss, correct) = (0.0, 0L);
        for (var first = 0; first < data.ValidationCount; first += RowsAtOnce)
        {
            using var scope = NewDisposeScope();
            var (start, count) = (data.TrainCount + first, Math.Min(RowsAtOnce, data.ValidationCount - first));
            var (lossSum, right) = HeadNetwork.Score(
                network.Logits(data.Features.narrow(0, start, count).contiguous()),
                data.Labels.narrow(0, start, count)
            );
            loss += lossSum.item<double>();
            correct += right.item<long>();
        }

        return (loss / data.ValidationCount, (double)correct / data.ValidationCount);
    }

    /// <summary>Row numbers as a tensor to select by.</summary>
    internal static Tensor Rows(ReadOnlySpan<int> rows, Device device)
    {
        var wide = new long[rows.Length];
        for (var i = 0; i < wide.Length; i++)
        {
            wide[i] = rows[i];
        }

        return tensor(wide, device: device);
    }
}
