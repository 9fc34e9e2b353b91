using Distributed.Vision.Weights;

namespace Distributed.Vision.Heads;

/// <summary>Training along a regularisation path, between two slices.</summary>
public sealed record RegularisationPathState : IHeadTrainingState
{
    internal const string Format = "distributed-penalty-path/1";

    internal RegularisationPathState() { }

    /// <summary>The penalties.</summary>
    public required RegularisationPathOptions Options { get; init; }

    /// <summary>Feature dimension.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Classes.</summary>
    public required int Classes { get; init; }

    /// <inheritdoc/>
    public int Epoch { get; init; }

    /// <inheritdoc/>
    public int BestEpoch { get; init; } = -1;

    /// <summary>Validation accuracy at the best penalty in [0, 1]; 0 without validation images.</summary>
    public double BestAccuracy { get; init; }

    /// <summary>Validation loss at the best penalty; infinite without validation images.</summary>
    public double BestLoss { get; init; } = double.PositiveInfinity;

    /// <summary>Whether the head has been refitted on training and validation images with the best penalty.</summary>
    public bool Finished { get; init; }

    /// <summary>Whether the penalty is chosen: all were tried, or the latest is so much weaker than the best that the rest only overfits more.</summary>
    internal bool Chosen =>
        Epoch == Options.Penalties.Count
        || (
            BestEpoch >= 0
            && Options.Penalties[Epoch - 1] * TrainingSpecification.DecreaseWithoutImprovement <= Options.Penalties[BestEpoch]
        );

    /// <summary>Means of the training features, [features].</summary>
    internal float[] Mean { get; init; } = [];

    /// <summary>Standard deviations of the training features, [features].</summary>
    internal float[] Std { get; init; } = [];

    /// <summary>Solution at the latest penalty, weights [classes, features], then the biases.</summary>
    internal double[] Latest { get; init; } = [];

    /// <summary>Solution at the penalty before it.</summary>
    internal double[] Previous { get; init; } = [];

    /// <summary>Solution at the best penalty.</summary>
    internal double[] Best { get; init; } = [];

    /// <summary>What the validation images say of the best solution, measured before the refit; null before it, and without such images.</summary>
    internal HeadCalibration? Calibration { get; init; }

    /// <summary>Reads a state.</summary>
    /// <param name="bytes">What <see cref="ToBytes"/> made.</param>
    /// <param name="source">What errors call the bytes, such as the path they come from.</param>
    /// <exception cref="WeightsException">The bytes are no such state.</exception>
    public static RegularisationPathState FromBytes(ReadOnlyMemory<byte> bytes, string source = "The checkpoint")
    {
        var file = new HeadFile(bytes, source, Format);
        var length = file.Layout().Length;
        var (features, classes) = (file.Integer("features"), file.Integer("classes"));
        var state = new RegularisationPathState
        {
            Options = new RegularisationPathOptions(file.Doubles("penalties")),
            FeatureSize = features,
            Classes = classes,
            Epoch = file.Integer("epoch"),
            BestEpoch = file.Integer("best_epoch"),
            BestAccuracy = file.Double("best_accuracy"),
            BestLoss = file.Double("best_loss"),
            Finished = file.Boolean("finished"),
            Mean = file.Read("mean", features),
            Std = file.Read("std", features),
            Latest = file.ReadDoubles("latest", length),
            Previous = file.ReadDoubles("previous", length),
            Best = file.ReadDoubles("best", length),
            Calibration = HeadCalibration.Read(file),
        };
        file.Check(state.ThrowIfInvalid);
        return state;
    }

    /// <inheritdoc/>
    public byte[] ToBytes()
    {
        var metadata = HeadFile.Describe(Format, HeadDefinition.Linear, FeatureSize, Classes);
        metadata.Add("penalties", string.Join(',', Options.Penalties.Select(penalty => HeadFile.ToText(penalty))));
        metadata.Add("epoch", HeadFile.ToText(Epoch));
        metadata.Add("best_epoch", HeadFile.ToText(BestEpoch));
        metadata.Add("best_accuracy", HeadFile.ToText(BestAccuracy));
        metadata.Add("best_loss", HeadFile.ToText(BestLoss));
        metadata.Add("finished", Finished ? bool.TrueString : bool.FalseString);
        var tensors = new Dictionary<string, TensorData>
        {
            ["mean"] = TensorData.FromValues(Mean, Mean.Length),
            ["std"] = TensorData.FromValues(Std, Std.Length),
            ["latest"] = TensorData.FromValues(Latest, Latest.Length),
            ["previous"] = TensorData.FromValues(Previous, Previous.Length),
            ["best"] = TensorData.FromValues(Best, Best.Length),
        };
        Calibration?.AddTo(tensors, metadata);
        return SafetensorsWriter.ToBytes(tensors, metadata);
    }

    /// <inheritdoc/>
    public byte[] ExportBest(HeadOrigin? origin = null)
    {
        if (BestEpoch < 0)
        {
            throw new InvalidOperationException("There is no best head before the first penalty is finished.");
        }

        return TrainedHead.Export(HeadDefinition.Linear, FeatureSize, Classes, Mean, Std, ToSingles(Best), Calibration, origin);
    }

    internal static float[] ToSingles(double[] weights) => Array.ConvertAll(weights, value => (float)value);

    /// <inheritdoc/>
    SliceOutcome IHeadTrainingState.Train(FeatureData data, Func<bool> shouldStop, CancellationToken cancellationToken)
    {
        var (state, epochs) = RegularisationPath.Train(this, data, shouldStop, cancellationToken);
        return new SliceOutcome(state, epochs);
    }

    private void ThrowIfInvalid()
    {
        Options.ThrowIfInvalid();
        ArgumentOutOfRangeException.ThrowIfNegative(Epoch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Epoch, Options.Penalties.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(BestEpoch, -1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(BestEpoch, Math.Max(Epoch, 1));
        if ((BestEpoch < 0) != (Epoch == 0))
        {
            throw new ArgumentException($"Of {Epoch} penalties, number {BestEpoch} is the best.");
        }
    }
}
