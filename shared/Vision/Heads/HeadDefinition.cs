namespace Distributed.Vision.Heads;

/// <summary>What a head is. Standardisation of the features is part of every head.</summary>
/// <param name="Kind">Kind.</param>
/// <param name="HiddenSizes">Widths of the hidden layers of an MLP, 1 to <see cref="HeadSpecification.MaxLayerWidth"/> each; empty for a linear head.</param>
/// <param name="Dropout">
/// Share of the inputs of the last layer, and of hidden layers after the first, that training sets to zero (Srivastava et
/// al., 2014; the rest is scaled up): in [0, 1).
/// </param>
public sealed record HeadDefinition(HeadKind Kind, int[] HiddenSizes, double Dropout)
{
    /// <summary>A linear head without dropout.</summary>
    public static HeadDefinition Linear { get; } = new(HeadKind.Linear, [], 0);

    internal void ThrowIfInvalid()
    {
        if (!Enum.IsDefined(Kind) || (Kind == HeadKind.Linear) != (HiddenSizes.Length == 0))
        {
            throw new ArgumentException(
                $"A {Kind} head cannot have {HiddenSizes.Length} hidden layers: linear heads have none, MLPs at least one."
            );
        }

        if (HiddenSizes.Any(size => size is < 1 or > HeadSpecification.MaxLayerWidth))
        {
            throw new ArgumentException(
                $"The hidden sizes {string.Join(", ", HiddenSizes)} are not all between 1 and {HeadSpecification.MaxLayerWidth}."
            );
        }

        if (!(Dropout >= 0 && Dropout < 1))
        {
            throw new ArgumentException($"The dropout {Dropout} is not in [0, 1).");
        }
    }
}

/// <summary>How a head is trained.</summary>
public abstract record HeadTrainingOptions
{
    internal abstract void ThrowIfInvalid();
}

/// <summary>Training by Adam (Kingma and Ba, 2015) on mean cross-entropy, as <c>torch.optim.Adam</c> computes it.</summary>
/// <param name="Epochs">At most so many passes over the training images, at least 1.</param>
/// <param name="BatchSize">Images a step, at least 1. The last batch of an epoch may be smaller.</param>
/// <param name="LearningRate">Positive; it stays the same.</param>
/// <param name="WeightDecay">L2 penalty added to the gradient of weights and biases, as in <c>torch.optim.Adam</c>; not decoupled as in AdamW. At least 0.</param>
/// <param name="Patience">Epochs without a better validation accuracy (or an equal one at a smaller loss) after which training ends; 0 never ends it early.</param>
/// <param name="Seed">Seed of first weights, batch order and dropout.</param>
public sealed record AdamOptions(int Epochs, int BatchSize, double LearningRate, double WeightDecay, int Patience, int Seed)
    : HeadTrainingOptions
{
    /// <summary>30 epochs of batches of 64 at 0.001, without penalty and early end.</summary>
    public static AdamOptions Default { get; } = new(30, 64, 1e-3, 0, 0, 0);

    internal override void ThrowIfInvalid()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Patience, 0);
        if (!(LearningRate > 0 && double.IsFinite(LearningRate)))
        {
            throw new ArgumentException($"The learning rate {LearningRate} is not a positive number.");
        }

        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay)))
        {
            throw new ArgumentException($"The weight decay {WeightDecay} is not a number of at least 0.");
        }
    }
}

/// <summary>
/// Training of a linear head along a regularisation path: for each penalty, from the strongest to the weakest, the weights W are found
/// that make the mean cross-entropy + penalty/2 ‖W‖² smallest on the standardised training features (biases are free). The
/// penalty with the smallest validation loss is kept (of equals the strongest), and the head is refitted with it on training and
/// validation images together, as Kornblith et al. do (Do Better ImageNet Models Transfer Better?, 2019, A.4). The path ends where
/// the penalty is <see cref="TrainingSpecification.DecreaseWithoutImprovement"/> times weaker than the best one: still weaker ones only overfit more.
/// The loss is chosen by, since of few images many penalties get the same share right, and the weakest of them gives
/// probabilities near 0 and 1. scikit-learn's C is 1 / (images × penalty).
/// </summary>
/// <param name="Penalties">1 to 100 positive numbers in falling order. Without validation images there has to be exactly one.</param>
public sealed record RegularisationPathOptions(IReadOnlyList<double> Penalties) : HeadTrainingOptions
{
    /// <summary>
    /// From 10 to 1e-6, at equal distances in their logarithms: 30 penalties for up to 16 classes, and 10 for more, since a penalty then takes
    /// seconds to minutes (scikit-learn's LogisticRegressionCV tries 10, too, for any number).
    /// </summary>
    /// <param name="classes">Classes, at least 2.</param>
    public static IReadOnlyList<double> DefaultPenalties(int classes)
    {
        var count = TrainingSpecification.DefaultPenalties(classes);
        return [.. Enumerable.Range(0, count).Select(i => Math.Pow(10, 1 - (7.0 * i / (count - 1))))];
    }

    /// <summary>The penalty to use where nothing can choose one.</summary>
    public const double PenaltyWithoutValidation = 0.01;

    /// <inheritdoc/>
    public bool Equals(RegularisationPathOptions? other) => other is not null && Penalties.SequenceEqual(other.Penalties);

    /// <inheritdoc/>
    public override int GetHashCode() => Penalties.Count == 0 ? 0 : HashCode.Combine(Penalties.Count, Penalties[0], Penalties[^1]);

    internal override void ThrowIfInvalid()
    {
        if (
            Penalties.Count is < 1 or > TrainingSpecification.MaxPenalties
            || Penalties.Any(penalty => !(penalty > 0 && double.IsFinite(penalty)))
            || Penalties.Zip(Penalties.Skip(1)).Any(pair => pair.First <= pair.Second)
        )
        {
            throw new ArgumentException(
                $"The penalties [{string.Join(", ", Penalties)}] are not 1 to {TrainingSpecification.MaxPenalties} positive "
                    + "numbers in falling order."
            );
        }
    }
}

/// <summary>What one epoch came to, or one penalty of a path.</summary>
/// <param name="Epoch">Zero-based.</param>
/// <param name="TrainLoss">Mean cross-entropy (nats) over the training images: by Adam, each as it was before its batch's step, with dropout.</param>
/// <param name="TrainAccuracy">Share of them that was right, in [0, 1].</param>
/// <param name="ValidationLoss">Mean cross-entropy over the validation images after the epoch; null without any.</param>
/// <param name="ValidationAccuracy">Share of them that is right, in [0, 1]; null without any.</param>
/// <param name="LearningRate">Adam's learning rate; null on a path.</param>
/// <param name="Penalty">Penalty of the path; null by Adam.</param>
public sealed record EpochMetrics(
    int Epoch,
    double TrainLoss,
    double TrainAccuracy,
    double? ValidationLoss,
    double? ValidationAccuracy,
    double? LearningRate = null,
    double? Penalty = null
);

/// <summary>Training cannot go on, and would not with another try. The message says what to change.</summary>
public sealed class HeadTrainingException : Exception
{
    /// <summary>Creates the error with a message that names value and remedy.</summary>
    public HeadTrainingException(string message)
        : base(message) { }

    /// <summary>Creates the error with a message that names value and remedy, and what caused it.</summary>
    public HeadTrainingException(string message, Exception innerException)
        : base(message, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public HeadTrainingException() { }
}
