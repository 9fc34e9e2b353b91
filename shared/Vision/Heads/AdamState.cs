using Distributed.Vision.Weights;

namespace Distributed.Vision.Heads;

/// <summary>Training by Adam, between two slices.</summary>
public sealed record AdamState : IHeadTrainingState
{
    private const string Format = "distributed-head-training/1";

    internal AdamState() { }

    /// <summary>What is trained.</summary>
    public required HeadDefinition Definition { get; init; }

    /// <summary>How.</summary>
    public required AdamOptions Options { get; init; }

    /// <summary>Feature dimension.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Classes.</summary>
    public required int Classes { get; init; }

    /// <summary>The epoch that comes next or is under way, zero-based; equal to the number of finished ones.</summary>
    public int Epoch { get; init; }

    /// <summary>The batch of that epoch that comes next, zero-based.</summary>
    public int Batch { get; init; }

    /// <summary>Steps of the optimiser so far.</summary>
    public long Step { get; init; }

    /// <summary>The finished epoch that was best, zero-based; -1 before the first.</summary>
    public int BestEpoch { get; init; } = -1;

    /// <summary>Validation accuracy of the best epoch in [0, 1]; 0 without validation images.</summary>
    public double BestAccuracy { get; init; }

    /// <summary>Validation loss of the best epoch; infinite without validation images.</summary>
    public double BestLoss { get; init; } = double.PositiveInfinity;

    /// <summary>Epochs since the best one.</summary>
    public int EpochsSinceBest { get; init; }

    /// <summary>Whether training is over, by the number of epochs or by patience.</summary>
    public bool Finished { get; init; }

    /// <summary>Sum of the cross-entropy over the images of the epoch so far.</summary>
    internal double LossSum { get; init; }

    /// <summary>Images of the epoch so far that were right.</summary>
    internal long Correct { get; init; }

    /// <summary>Means of the training features, [features].</summary>
    internal float[] Mean { get; init; } = [];

    /// <summary>Standard deviations of the training features, [features].</summary>
    internal float[] Std { get; init; } = [];

    /// <summary>Parameters as <see cref="HeadLayout"/> lays them out; the three arrays below likewise.</summary>
    internal float[] Parameters { get; init; } = [];

    internal float[] FirstMoment { get; init; } = [];

    internal float[] SecondMoment { get; init; } = [];

    internal float[] Best { get; init; } = [];

    /// <summary>What the validation images say of the best head; null before the end, and without such images.</summary>
    internal HeadCalibration? Calibration { get; init; }

    internal HeadLayout Layout => new(Definition, FeatureSize, Classes);

    /// <summary>Reads a state.</summary>
    /// <param name="bytes">What <see cref="ToBytes"/> made.</param>
    /// <param name="source">What errors call the bytes, such as the path they come from.</param>
    /// <exception cref="WeightsException">The bytes are no such state.</exception>
    public static AdamState FromBytes(ReadOnlyMemory<byte> bytes, string source = "The checkpoint")
    {
        var file = new HeadFile(bytes, source, Format);
        var layout = file.Layout();
        var features = file.Integer("features");
        var state = new AdamState
        {
            Definition = file.Definition,
            Options = new AdamOptions(
                file.Integer("epochs"),
                file.Integer("batch_size"),
                file.Double("learning_rate"),
                file.Double("weight_decay"),
                file.Integer("patience"),
                file.Integer("seed")
            ),
            FeatureSize = features,
            Classes = file.Integer("classes"),
            Epoch = file.Integer("epoch"),
            Batch = file.Integer("batch"),
            Step = file.Long("step"),
            BestEpoch = file.Integer("best_epoch"),
            BestAccuracy = file.Double("best_accuracy"),
            BestLoss = file.Double("best_loss"),
            EpochsSinceBest = file.Integer("epochs_since_best"),
            Finished = file.Boolean("finished"),
            LossSum = file.Double("loss_sum"),
            Correct = file.Long("correct"),
            Mean = file.Read("mean", features),
            Std = file.Read("std", features),
            Parameters = layout.Load(file, "last."),
            FirstMoment = layout.Load(file, "adam.first."),
            SecondMoment = layout.Load(file, "adam.second."),
            Best = layout.Load(file, "best."),
            Calibration = HeadCalibration.Read(file),
        };
        file.Check(state.ThrowIfInvalid);
        return state;
    }

    /// <summary>The state as a safetensors file.</summary>
    public byte[] ToBytes()
    {
        var layout = Layout;
        var tensors = Scaling();
        layout.Save(tensors, "last.", Parameters);
        layout.Save(tensors, "adam.first.", FirstMoment);
        layout.Save(tensors, "adam.second.", SecondMoment);
        layout.Save(tensors, "best.", Best);
        var metadata = HeadFile.Describe(Format, Definition, FeatureSize, Classes);
        void Add(string key, IFormattable value) => metadata.Add(key, HeadFile.ToText(value));
        Add("epochs", Options.Epochs);
        Add("batch_size", Options.BatchSize);
        Add("learning_rate", Options.LearningRate);
        Add("weight_decay", Options.WeightDecay);
        Add("patience", Options.Patience);
        Add("seed", Options.Seed);
        Add("epoch", Epoch);
        Add("batch", Batch);
        Add("step", Step);
        Add("best_epoch", BestEpoch);
        Add("best_accuracy", BestAccuracy);
        Add("best_loss", BestLoss);
        Add("epochs_since_best", EpochsSinceBest);
        metadata.Add("finished", Finished ? bool.TrueString : bool.FalseString);
        Add("loss_sum", LossSum);
        Add("correct", Correct);
        Calibration?.AddTo(tensors, metadata);
        return SafetensorsWriter.ToBytes(tensors, metadata);
    }

    /// <summary>The best head so far as a safetensors file, for <see cref="TrainedHead.Load"/>: weights, standardisation and definition.</summary>
    /// <param name="origin">What it is for, which is written into the file.</param>
    /// <exception cref="InvalidOperationException">No epoch is finished.</exception>
    public byte[] ExportBest(HeadOrigin? origin = null)
    {
        if (BestEpoch < 0)
        {
            throw new InvalidOperationException("There is no best head before the first epoch is finished.");
        }

        return TrainedHead.Export(Definition, FeatureSize, Classes, Mean, Std, Best, Calibration, origin);
    }

    /// <inheritdoc/>
    SliceOutcome IHeadTrainingState.Train(FeatureData data, Func<bool> shouldStop, CancellationToken cancellationToken)
    {
        var (state, epochs) = AdamTrainer.Train(this, data, shouldStop, cancellationToken: cancellationToken);
        return new SliceOutcome(state, epochs);
    }

    private void ThrowIfInvalid()
    {
        Options.ThrowIfInvalid();
        ArgumentOutOfRangeException.ThrowIfNegative(Epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(Batch);
        ArgumentOutOfRangeException.ThrowIfNegative(Step);
        if (!Finished && Epoch >= Options.Epochs)
        {
            throw new ArgumentException($"Epoch {Epoch} of {Options.Epochs} is to come.");
        }
    }

    private Dictionary<string, TensorData> Scaling() =>
        new() { ["mean"] = TensorData.FromValues(Mean, Mean.Length), ["std"] = TensorData.FromValues(Std, Std.Length) };
}
