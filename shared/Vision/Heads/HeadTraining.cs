using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Heads;

/// <summary>What a slice of training came to.</summary>
/// <param name="State">Where to go on from, or where training ended: see <see cref="IHeadTrainingState.Finished"/>.</param>
/// <param name="Epochs">The epochs, or penalties, that ended in the slice.</param>
public sealed record SliceOutcome(IHeadTrainingState State, IReadOnlyList<EpochMetrics> Epochs);

/// <summary>
/// Everything that training goes on from, and nothing else: no ids, times or attempts. Equal training gives equal bytes.
/// States do not change; every slice of training makes a new one.
/// </summary>
public interface IHeadTrainingState
{
    /// <summary>Epochs, or penalties, that are finished.</summary>
    int Epoch { get; }

    /// <summary>The finished epoch, or penalty, that was best, zero-based; -1 before the first.</summary>
    int BestEpoch { get; }

    /// <summary>Whether training is over.</summary>
    bool Finished { get; }

    /// <summary>The state as a safetensors file, for <see cref="HeadTraining.Resume"/>.</summary>
    byte[] ToBytes();

    /// <summary>The best head so far as a safetensors file, for <see cref="TrainedHead.Load"/>: weights, standardisation and definition.</summary>
    /// <param name="origin">What it is for, which is written into the file.</param>
    /// <exception cref="InvalidOperationException">Nothing is finished yet.</exception>
    byte[] ExportBest(HeadOrigin? origin = null);

    /// <summary>Trains until training is over or the slice is to end, at least one step.</summary>
    /// <param name="data">The same data in every slice.</param>
    /// <param name="shouldStop">Asked after every step whether the slice is to end.</param>
    /// <param name="cancellationToken">Cancels the slice between steps.</param>
    /// <exception cref="ArgumentException">The data do not fit the state.</exception>
    /// <exception cref="HeadTrainingException">Training cannot go on.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing of the slice is kept.</exception>
    SliceOutcome Train(FeatureData data, Func<bool> shouldStop, CancellationToken cancellationToken);
}

/// <summary>
/// Trains heads in slices. Wherever slices are cut, the result has the same bits. Call it from one dedicated thread: see
/// <see cref="IBackbone"/>.
/// </summary>
public static class HeadTraining
{
    /// <summary>Prepares training in the way that the options are for.</summary>
    /// <param name="definition">What to train.</param>
    /// <param name="options">How.</param>
    /// <param name="data">From what.</param>
    /// <param name="classes">Classes, at least 2; labels are below it.</param>
    /// <exception cref="ArgumentException">Definition, options or labels are out of range.</exception>
    /// <exception cref="HeadTrainingException">The features are not finite numbers.</exception>
    public static IHeadTrainingState Start(HeadDefinition definition, HeadTrainingOptions options, FeatureData data, int classes) =>
        options switch
        {
            AdamOptions adam => AdamTrainer.Start(definition, adam, data, classes),
            RegularisationPathOptions path => RegularisationPath.Start(definition, path, data, classes),
            _ => throw new ArgumentException($"Nothing trains a head by {options?.GetType().Name ?? "null"}.", nameof(options)),
        };

    /// <summary>Reads a state.</summary>
    /// <param name="bytes">What <see cref="IHeadTrainingState.ToBytes"/> made.</param>
    /// <param name="source">What errors call the bytes, such as the path they come from.</param>
    /// <exception cref="WeightsException">The bytes are no such state.</exception>
    public static IHeadTrainingState Resume(ReadOnlyMemory<byte> bytes, string source = "The checkpoint") =>
        HeadFile.FormatOf(bytes, source) switch
        {
            RegularisationPathState.Format => RegularisationPathState.FromBytes(bytes, source),
            // It says what is wrong with bytes of any other format.
            _ => AdamState.FromBytes(bytes, source),
        };

    /// <summary>
    /// Trains a tiny linear head, so that the code for it is compiled and LibTorch's libraries are loaded before somebody waits for them:
    /// in a fresh process that takes about as long as a head of a small data set.
    /// </summary>
    /// <param name="device">Where heads will be trained.</param>
    public static void WarmUp(TorchSharp.torch.Device device)
    {
        const int images = 64,
            size = 64,
            classes = 2;
        var values = new float[images * size];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = MathF.Sin(i * i);
        }

        int[] rows = [.. Enumerable.Range(0, images)];
        using var data = FeatureData.Create(
            new FeatureMatrix(values, images, size),
            Array.ConvertAll(rows, row => row % classes),
            rows[(images / 2)..],
            rows[..(images / 2)],
            device
        );
        var trained = Start(
                HeadDefinition.Linear,
                new RegularisationPathOptions(RegularisationPathOptions.DefaultPenalties(classes)),
                data,
                classes
            )
            .Train(data, () => false, CancellationToken.None);
        trained.State.ToBytes();
        trained.State.ExportBest();
    }

    /// <summary>Checks that every label is one of the classes.</summary>
    internal static void ThrowIfOutOfRange(FeatureData data, int classes)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var (lowest, highest) = (data.Labels.min().item<long>(), data.Labels.max().item<long>());
        if (lowest < 0 || highest >= classes)
        {
            throw new ArgumentException(
                $"The labels run from {lowest} to {highest}; {classes} classes are 0 to {classes - 1}.",
                nameof(classes)
            );
        }
    }
}
