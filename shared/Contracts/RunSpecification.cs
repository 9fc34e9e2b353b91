using System.Text.Json.Serialization;

namespace Distributed.Contracts;

/// <summary>
/// Everything that decides a run's result: the same specification and seeds over the same data give the same result on
/// the same kind of machine. Every member has a default, so an empty specification is the sample run.
/// </summary>
public sealed record RunSpecification
{
    private const int SmallInput = 96;
    private const int UsualInput = 224;

    private readonly int? _inputSize;

    /// <summary>A name for people; need not be unique. At most 200 characters.</summary>
    public string? Name { get; init; }

    /// <summary>Labels to filter runs by; at most 20 of at most 100 characters.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Who asked for the run. At most 200 characters.</summary>
    public string? Submitter { get; init; }

    /// <summary>
    /// <c>sample</c> (drawn by the program), <c>stl10</c> (downloaded from its official page), or the path of a folder or
    /// archive with STL-10's binary files or with class folders of images, as the Ingestion hosts see it.
    /// </summary>
    public string Dataset { get; init; } = "sample";

    /// <summary>
    /// <c>demo</c> (shipped with the program), <c>imagenet</c> (downloaded), <c>random</c> (seeded by <see cref="Seed"/>,
    /// a floor to compare with), or the path of a .safetensors or .pth file, as the Training hosts see it.
    /// </summary>
    public string Backbone { get; init; } = "demo";

    /// <summary>
    /// The network that the weights must be of: densenet121, densenet169, densenet201 or densenet161. Where absent, the one that the
    /// file of weights is of; densenet121 for random weights.
    /// </summary>
    /// <remarks>Left out where it is absent; the first versions wrote densenet121 then: see <see cref="ContractJson.IsSame"/>.</remarks>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Architecture { get; init; }

    /// <summary>
    /// Side in pixels of the square that every image is brought to; 32 to 1024. Where it is not given it follows the backbone, known by
    /// its name alone: 96 for <c>demo</c> and <c>random</c>, else the 224 that networks are usually trained at.
    /// </summary>
    public int InputSize
    {
        get => _inputSize ?? (Backbone is "demo" or "random" ? SmallInput : UsualInput);
        init => _inputSize = value;
    }

    /// <summary>How an image that is no square is brought to one.</summary>
    public ImageFit Fit { get; init; } = ImageFit.Crop;

    /// <summary>Arithmetic of the feature extraction.</summary>
    public ExtractionPrecision Precision { get; init; } = ExtractionPrecision.Auto;

    /// <summary>The head that is trained on the features.</summary>
    public HeadSpecification Head { get; init; } = new();

    /// <summary>How the head is trained.</summary>
    public TrainingSpecification Training { get; init; } = new();

    /// <summary>Share of the training images held out for validation where the data set brings no validation split; 0 to 0.9. With 0 there is no early stopping.</summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>Share of the images held out for testing where the data set brings no test split; above 0, up to 0.9.</summary>
    public double TestFraction { get; init; } = 0.2;

    /// <summary>Train on this official fold only (STL-10: 0 to 9); all training images where it is absent.</summary>
    public int? Fold { get; init; }

    /// <summary>Decides the head's first weights, the order of batches, dropout, and a random backbone.</summary>
    public int Seed { get; init; }

    /// <summary>Decides the splits that are drawn, and the sample set; apart from <see cref="Seed"/>, so that runs with other seeds see the same splits.</summary>
    public int SplitSeed { get; init; }

    /// <summary>How many classes may be named for a prediction to count as right in the top-k accuracy; 1 to 100, cut to the number of classes.</summary>
    public int TopK { get; init; } = 5;

    /// <summary>Whose work is done first; it decides nothing about the result.</summary>
    /// <remarks>Left out where it is the default, as are all members that came later: specifications are compared and kept as text.</remarks>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public RunPriority Priority { get; init; } = RunPriority.Interactive;

    /// <summary>Seconds after its submission, or after it was retried, in which the run must be complete, waiting in queues included; 1 to 2,592,000. None where absent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int? TimeLimit { get; init; }

    /// <summary>Whether a report is written when the run is evaluated; its figures are there in any case.</summary>
    /// <remarks>Left out where it is true, by <see cref="ContractJson.Strict"/>.</remarks>
    public bool Report { get; init; } = true;

    /// <summary>Share of the data set's files that may be skipped, for their format, damage or other reasons; beyond it the run fails. 0 to 1.</summary>
    /// <remarks>Left out where it is the default, by <see cref="ContractJson.Strict"/>.</remarks>
    public double MaxSkipped { get; init; } = 0.5;
}

/// <summary>Whose work is done first where workers are short.</summary>
public enum RunPriority
{
    /// <summary>Somebody waits for it: before all that is <see cref="Bulk"/>.</summary>
    Interactive,

    /// <summary>One of many, such as of a sweep: when nothing interactive is to be done.</summary>
    Bulk,
}

/// <summary>The trainable part that follows the frozen backbone.</summary>
public sealed record HeadSpecification
{
    /// <summary>Which kind of head.</summary>
    public HeadType Kind { get; init; } = HeadType.Linear;

    /// <summary>Widths of the dense layers of an <see cref="HeadType.Mlp"/>, each followed by ReLU and dropout; 1 to 4 layers of 1 to 8192.</summary>
    public IReadOnlyList<int> HiddenSizes { get; init; } = [256];

    /// <summary>Share of a dense layer's outputs dropped in training; 0 to below 1.</summary>
    public double Dropout { get; init; } = 0.5;
}

/// <summary>How a head is trained on the cross-entropy: by Newton's method along a path of penalties, or by Adam with early stopping.</summary>
public sealed record TrainingSpecification
{
    /// <summary>The method.</summary>
    public HeadOptimizer Optimizer { get; init; } = HeadOptimizer.Auto;

    /// <summary>
    /// <see cref="HeadOptimizer.Newton"/>: L2 penalties to choose from on the validation split, in falling order; 1 to 100
    /// numbers above 0, up to 1e6. Empty for <see cref="DefaultPenalties"/> from 10 to 1e-6; without validation images, for 0.01 alone.
    /// The one with the smallest validation loss is chosen; what is weaker than <see cref="DecreaseWithoutImprovement"/> times
    /// below it is not tried.
    /// </summary>
    public IReadOnlyList<double> Penalties { get; init; } = [];

    /// <summary>Penalties to choose from where none are given: fewer for many classes, where each takes seconds to minutes.</summary>
    /// <param name="classes">Classes, at least 2.</param>
    public static int DefaultPenalties(int classes) => classes <= 16 ? 30 : 10;

    /// <summary>How many times weaker than the one with the smallest validation loss the last penalty to be tried is.</summary>
    public const double DecreaseWithoutImprovement = 5;

    /// <summary><see cref="HeadOptimizer.Adam"/>: the most passes over the training split; 1 to 10,000.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary><see cref="HeadOptimizer.Adam"/>: images a step; 1 to 65,536.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary><see cref="HeadOptimizer.Adam"/>: step size; above 0, up to 10.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary><see cref="HeadOptimizer.Adam"/>: L2 penalty added to the gradient; 0 to 10.</summary>
    public double WeightDecay { get; init; } = 1e-4;

    /// <summary><see cref="HeadOptimizer.Adam"/>: epochs without a better validation score after which training stops; 1 to 10,000.</summary>
    public int Patience { get; init; } = 20;
}

/// <summary>How a head is trained.</summary>
public enum HeadOptimizer
{
    /// <summary><see cref="Newton"/> for a linear head unless one of Adam's settings is not at its default, else <see cref="Adam"/>.</summary>
    Auto,

    /// <summary>Newton's method for a linear head, along a path of penalties; with the best one the head is refitted on training and validation images.</summary>
    Newton,

    /// <summary>Adam, with early stopping on the validation split.</summary>
    Adam,
}

/// <summary>How an image that is no square is brought to one.</summary>
public enum ImageFit
{
    /// <summary>Shorter side to the size, centre cut out.</summary>
    Crop,

    /// <summary>Longer side to the size, the rest filled.</summary>
    Pad,

    /// <summary>Both sides to the size.</summary>
    Stretch,
}

/// <summary>Arithmetic of the feature extraction.</summary>
public enum ExtractionPrecision
{
    /// <summary>What a feature set that is already there was made in, else what a short measurement finds faster; resolved once, at planning.</summary>
    Auto,

    /// <summary>32-bit floating point.</summary>
    Fp32,

    /// <summary>16-bit bfloat inside the network, 32-bit features.</summary>
    Bf16,

    /// <summary>16-bit floating point inside the network, 32-bit features: for GPUs.</summary>
    Fp16,
}

/// <summary>The kinds of head.</summary>
public enum HeadType
{
    /// <summary>One linear layer: multinomial logistic regression.</summary>
    Linear,

    /// <summary>Dense layers with ReLU and dropout before the linear one.</summary>
    Mlp,
}
