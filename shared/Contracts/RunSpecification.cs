using System.Text.Json.Serialization;

namespace Distributed.Contracts;

#pragma warning disable CS1591 // A setting is documented by its description, and nowhere else.

/// <summary>
/// Everything that decides a run's result: the same specification and seeds over the same data give the same result on
/// the same kind of machine. Every member has a default, so an empty specification is the sample run.
/// </summary>
public sealed record RunSpecification
{
    private const int SmallInput = 96;
    private const int UsualInput = 224;
    private const int LargeInput = 256;
    private const int LongestPath = 4096;
    private const int LongestLabel = 200;

    private readonly int? _inputSize;

    [Setting("A name for the run", MaxLength = LongestLabel, IsLabel = true)]
    public string? Name { get; init; }

    [Setting(
        "A label for the run, to filter by; may be repeated",
        Option = "--tag",
        MinLength = 1,
        MaxLength = 100,
        MaxItems = 20,
        IsRepeated = true,
        IsLabel = true
    )]
    public IReadOnlyList<string> Tags { get; init; } = [];

    [Setting("Who asks for the run", MaxLength = LongestLabel, IsLabel = true)]
    public string? Submitter { get; init; }

    [Setting(
        "What the run is for",
        Details = "`train`: a head. `compare`: which base is best for the images, without training a head on it: see [bases](backbones.md#which-is-best).",
        Since = 7,
        IsForTraining = true
    )]
    public RunKind Kind { get; init; } = RunKind.Train;

    [Setting(
        "sample (drawn by the program), clothing (photos that are shipped), stl10 (downloaded), or the path of a folder or archive: class folders of images, images with a table of labels, or STL-10's binary files",
        Details = "A path is as the Ingestion hosts see it, below `Data:Roots`: see [data sets](datasets.md).",
        Words = ["sample", "clothing", "stl10"],
        MaxLength = LongestPath
    )]
    public string Dataset { get; init; } = "sample";

    [Setting(
        "The name of a base (demo, imagenet, resnet50, mlnet-resnet18 …), best, random, or the path of a .safetensors, .pth or .onnx file",
        Details = "`GET /api/v1/backbones` and the command `backbones` list the names. `best` compares the `candidates` first, and takes [the best of them](backbones.md#which-is-best). `random` is drawn from `seed`: a floor to compare with. A path is as the Training hosts see it: see [weight files](#weight-files).",
        Words = ["demo", "imagenet", "best", "random"],
        MaxLength = LongestPath
    )]
    public string Backbone { get; init; } = "demo";

    /// <summary>The backbone that stands for a comparison of bases.</summary>
    public const string Best = "best";

    /// <summary>Whether bases are compared first.</summary>
    [JsonIgnore]
    public bool Compares => Kind == RunKind.Compare || Backbone == Best;

    [Setting(
        "Bases to compare, by name",
        Details = "For the backbone `best` and the kind `compare`.",
        Default = "all whose files are at hand",
        Option = "--candidate",
        Since = 7,
        MinLength = 1,
        MaxLength = LongestLabel,
        MaxItems = 20,
        IsRepeated = true,
        IsForTraining = true
    )]
    public IReadOnlyList<string> Candidates { get; init; } = [];

    [Setting(
        "Seconds in all that a comparison of bases may take",
        Details = "A base that would take longer than its share is left out, and the result says so.",
        Since = 7,
        Minimum = 1,
        Maximum = 86_400,
        Placeholder = "SECONDS",
        IsForTraining = true
    )]
    public int CompareSeconds { get; init; } = 120;

    /// <remarks>Left out where it is absent; the first versions wrote densenet121 then: see <see cref="EarlierSpecifications"/>.</remarks>
    [Setting(
        "The network that the weights must be of",
        Details = "A name as in torchvision, such as `densenet121` or `resnet50`.",
        Default = "that of the file; densenet121 for random weights",
        MaxLength = LongestLabel,
        Placeholder = "NAME"
    )]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Architecture { get; init; }

    [Setting(
        "Of an ONNX file, what the features are: class, class+patches, or the name of any tensor in it",
        Details = "`class` is the class token of an output [batch, tokens, width], `class+patches` joins it with the mean of the others. A map is averaged.",
        Default = "a pooled vector by preference, then the class token, then the mean of a map; a classifier is removed",
        Since = 6,
        MaxLength = LongestLabel,
        Placeholder = "NAME"
    )]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? BackboneOutput { get; init; }

    [Setting(
        "Of an ONNX file, means of red, green and blue, counted in 0 to 1",
        Details = "With `pixelStd`.",
        Default = "those that a file beside it says, else ImageNet's",
        Since = 6,
        Minimum = -1000,
        Maximum = 1000,
        MaxItems = 3
    )]
    public IReadOnlyList<double> PixelMean { get; init; } = [];

    [Setting(
        "Of an ONNX file, standard deviations of red, green and blue, counted in 0 to 1",
        Details = "With `pixelMean`.",
        Default = "those that a file beside it says, else ImageNet's",
        Since = 6,
        ExclusiveMinimum = 0,
        Maximum = 1000,
        MaxItems = 3
    )]
    public IReadOnlyList<double> PixelStd { get; init; } = [];

    [Setting(
        "Of an ONNX file, the order of colours that it takes",
        Details = "With `pixelMean` and `pixelStd`, which are red, green and blue in any case.",
        Since = 6
    )]
    public ChannelOrder ChannelOrder { get; init; } = ChannelOrder.Rgb;

    [Setting(
        "Predict the data set's images with this version of a model, and train nothing",
        Details = "`NAME@ALIAS` or `NAME@NUMBER`. Backbone, input size, fit and precision are the model's, and an alias is resolved when the run is submitted. The data set needs no classes: every image in the folder or archive is predicted. See [models](models.md).",
        Since = 5,
        MaxLength = LongestLabel,
        Placeholder = "NAME@ALIAS"
    )]
    public string? Model { get; init; }

    [Setting(
        "More bases, whose features are joined to those of the backbone",
        Details = "As `backbone` names them; every image goes through all of them, at the same size.",
        Option = "--join-backbone",
        Since = 7,
        MinLength = 1,
        MaxLength = LongestPath,
        MaxItems = 3,
        IsRepeated = true
    )]
    public IReadOnlyList<string> JoinedBackbones { get; init; } = [];

    [Setting(
        "How many of the last blocks of a network give features: the means of their maps, joined",
        Details = "For DenseNets and ResNets. With more than one, LibTorch's operators compute the network rather than the kernels made for it.",
        Since = 7,
        Minimum = 1,
        Maximum = 4
    )]
    public int Blocks { get; init; } = 1;

    [Setting(
        "What counts more, time or accuracy",
        Details = "`fast`: four sevenths of the backbone's own input size. `accurate`: nine sevenths of it, and `flip`. A base that takes one size alone keeps it. Settings that are given stay as they are; the run's specification shows what became of the others. See [accuracy](accuracy.md#views-and-presets).",
        Since = 7
    )]
    public Preset Preset { get; init; } = Preset.Balanced;

    [Setting(
        "Side in pixels of the square that images are brought to",
        Details = "The run's specification shows which.",
        Default = "that of the backbone: 96 for demo and random, 256 for siglip2-base and mobilenetv4-medium, else 224",
        Minimum = 32,
        Maximum = 1024
    )]
    public int InputSize
    {
        get =>
            _inputSize
            ?? Backbone switch
            {
                "demo" or "random" => SmallInput,
                "siglip2-base" or "mobilenetv4-medium" => LargeInput,
                _ => UsualInput,
            };
        init => _inputSize = value;
    }

    /// <summary>The same with another input size, unless one was given.</summary>
    /// <param name="size">Pixels.</param>
    public RunSpecification WithUsualInputSize(int size) => _inputSize is null ? this with { InputSize = size } : this;

    [Setting(
        "How images that are no squares become squares",
        Details = "`crop`: shorter side to the size, centre cut out. `pad`: longer side to the size, the rest filled. `stretch`: both sides to the size."
    )]
    public FitMode Fit { get; init; } = FitMode.Crop;

    [Setting(
        "Share of an image's shorter side that stays when its middle is cut out",
        Details = "For `fit` crop: what publishers of networks call crop_pct; 0.875 brings 256 px to 224.",
        Since = 7,
        Minimum = 0.5,
        Maximum = 1
    )]
    public double CropShare { get; init; } = 1;

    [Setting("How images are resampled", Details = "As PIL does, to the bit.", Since = 7)]
    public ResampleFilter Resampling { get; init; } = ResampleFilter.Bicubic;

    [Setting("Average the features of each image with those of its mirror image", Details = "Twice the work of extraction.", Since = 7)]
    public bool Flip { get; init; }

    [Setting(
        "What an image's features are taken of",
        Details = "`whole`: the square. `five`: the mean over five crops of the input size, the corners and the middle of a square of eight sevenths of it; five times the work of extraction.",
        Since = 7
    )]
    public ImageCrops Crops { get; init; } = ImageCrops.Whole;

    /// <summary>The views of each image.</summary>
    [JsonIgnore]
    public FeatureViews Views => new(Flip, Crops);

    /// <summary>What becomes of an image before a network sees it; crops are cut of the square that it leads to.</summary>
    [JsonIgnore]
    public ImagePreparation Preparation => new(Views.SquareOf(InputSize), Fit, Decoding) { CropShare = CropShare, Resampling = Resampling };

    [Setting(
        "How JPEGs are decoded that are several times the input size",
        Details = "`scaled`: at a half, a quarter or an eighth, where the result is still at least twice the size that it is then resampled to: several times as fast, with the pixels of PIL's `Image.draft`. `full`: pixel by pixel, whatever their size. See [data sets](datasets.md#large-photos).",
        Since = 6
    )]
    public JpegDecoding Decoding { get; init; } = JpegDecoding.Scaled;

    [Setting(
        "Arithmetic of the feature extraction",
        Details = "`auto`: what the features are there in already, else what a short measurement finds faster. `fp16` is for GPUs."
    )]
    public Precision? Precision { get; init; }

    public HeadSpecification Head { get; init; } = new();

    public TrainingSpecification Training { get; init; } = new();

    [Setting(
        "Share of training images held out for validation where none is given",
        Details = "Stratified. With 0 nothing ends the training early.",
        Minimum = 0,
        Maximum = 0.9,
        IsForTraining = true
    )]
    public double ValidationFraction { get; init; } = 0.1;

    [Setting(
        "Share of images held out for testing where none is given",
        Details = "Stratified.",
        Minimum = 0.001,
        Maximum = 0.9,
        IsForTraining = true
    )]
    public double TestFraction { get; init; } = 0.2;

    [Setting(
        "Train on this official fold only (STL-10: 0 to 9)",
        Default = "all training images",
        Minimum = 0,
        Maximum = 1000,
        IsForTraining = true
    )]
    public int? Fold { get; init; }

    [Setting("Decides first weights, order of batches, dropout and a random backbone")]
    public int Seed { get; init; }

    [Setting(
        "Decides the splits that are drawn, and the sample set",
        Details = "Apart from `seed`, so that runs with other seeds see the same splits."
    )]
    public int SplitSeed { get; init; }

    [Setting(
        "Guesses that count for the top-k accuracy",
        Details = "Cut to the number of classes, where it would be 100 % whatever the head, and is null.",
        Minimum = 1,
        Maximum = 100,
        IsForTraining = true
    )]
    public int TopK { get; init; } = 5;

    [Setting(
        "Whose work is done first where several runs are under way",
        Details = "`bulk` is for one of many that nobody waits for, such as of a sweep: done when a worker has nothing interactive to do. Features that both need are interactive.",
        Since = 2,
        IsLabel = true
    )]
    public RunPriority Priority { get; init; } = RunPriority.Interactive;

    [Setting(
        "Fail the run unless it is complete so many seconds after its submission or retry",
        Details = "Waiting in queues is included; the failure says in which stage the run was.",
        Since = 2,
        Minimum = 1,
        Maximum = 30 * 24 * 60 * 60,
        Placeholder = "SECONDS",
        IsLabel = true
    )]
    public int? TimeLimit { get; init; }

    [Setting(
        "Whether a report is written; the figures are shown in any case",
        Details = "`false` spares the time of drawing it where many runs are compared by their figures.",
        Since = 3
    )]
    public bool Report { get; init; } = true;

    [Setting(
        "Fail the run where more than this share of the data set's files cannot be used",
        Details = "For their format, damage or other reasons. Beyond 0.05 the run warns.",
        Since = 4,
        Minimum = 0,
        Maximum = 1
    )]
    public double MaxSkipped { get; init; } = 0.5;
}

/// <summary>The trainable part that follows the frozen backbone.</summary>
public sealed record HeadSpecification
{
    /// <summary>The widest dense layer.</summary>
    public const int MaxLayerWidth = 8192;

    [Setting("The head to train", Option = "--head", IsForTraining = true)]
    public HeadKind Kind { get; init; } = HeadKind.Linear;

    [Setting(
        "Widths of an mlp head's dense layers",
        Details = "Each is followed by ReLU and dropout.",
        Minimum = 1,
        Maximum = MaxLayerWidth,
        MinItems = 1,
        MaxItems = 4,
        IsForTraining = true
    )]
    public IReadOnlyList<int> HiddenSizes { get; init; } = [256];

    [Setting(
        "Share of a dense layer's outputs that an mlp head drops in training",
        Minimum = 0,
        ExclusiveMaximum = 1,
        IsForTraining = true
    )]
    public double Dropout { get; init; } = 0.5;
}

/// <summary>How a head is trained on the cross-entropy, and the settings of each optimizer.</summary>
public sealed record TrainingSpecification
{
    /// <summary>The most penalties of a path.</summary>
    public const int MaxPenalties = 100;

    /// <summary>How many times weaker than the one with the smallest validation loss the last penalty to be tried is.</summary>
    public const double DecreaseWithoutImprovement = 5;

    [Setting(
        "How the head is trained",
        Details = "`newton`, for linear heads: solutions along a path of L2 penalties; with the penalty of the smallest validation loss the head is refitted on training and validation images. `adam`: with early stopping on the validation split.",
        Default = "newton for a linear head, adam for an mlp",
        FormerDefault = "auto",
        IsForTraining = true
    )]
    public HeadOptimizer Optimizer { get; init; } = HeadOptimizer.Newton;

    [Setting(
        "L2 penalties to choose from on the validation split",
        Details = "Of mean cross-entropy + penalty/2 ‖W‖² on standardised features (scikit-learn's C is 1 / (images × penalty)). The one with the smallest validation loss is chosen; what is weaker than the first one at most a fifth of it is not tried.",
        Default = "30 from 10 to 1e-6, 10 of them where there are more than 16 classes; 0.01 without validation images",
        ExclusiveMinimum = 0,
        Maximum = 1e6,
        MaxItems = MaxPenalties,
        IsFalling = true,
        Optimizers = [HeadOptimizer.Newton]
    )]
    public IReadOnlyList<double> Penalties { get; init; } = [];

    [Setting("most passes over the training images", Minimum = 1, Maximum = 10_000, Optimizers = [HeadOptimizer.Adam])]
    public int Epochs { get; init; } = 100;

    [Setting("images a step", Minimum = 1, Maximum = 65_536, Optimizers = [HeadOptimizer.Adam])]
    public int BatchSize { get; init; } = 64;

    [Setting("step size", ExclusiveMinimum = 0, Maximum = 10, Optimizers = [HeadOptimizer.Adam])]
    public double LearningRate { get; init; } = 1e-3;

    [Setting(
        "L2 penalty added to the gradient",
        Details = "As `torch.optim.Adam` defines it.",
        Minimum = 0,
        Maximum = 10,
        Optimizers = [HeadOptimizer.Adam]
    )]
    public double WeightDecay { get; init; } = 1e-4;

    [Setting(
        "epochs without a better validation score before training stops",
        Minimum = 1,
        Maximum = 10_000,
        Optimizers = [HeadOptimizer.Adam]
    )]
    public int Patience { get; init; } = 20;

    /// <summary>Penalties to choose from where none are given: fewer for many classes, where each takes seconds to minutes.</summary>
    /// <param name="classes">Classes, at least 2.</param>
    public static int DefaultPenalties(int classes) => classes <= 16 ? 30 : 10;
}

#pragma warning restore CS1591

/// <summary>Whose work is done first where workers are short.</summary>
public enum RunPriority
{
    /// <summary>Somebody waits for it: before all that is <see cref="Bulk"/>.</summary>
    Interactive,

    /// <summary>One of many, such as of a sweep: when nothing interactive is to be done.</summary>
    Bulk,
}

/// <summary>How a head is trained.</summary>
public enum HeadOptimizer
{
    /// <summary>Newton's method for a linear head, along a path of penalties; with the best one the head is refitted on training and validation images.</summary>
    Newton,

    /// <summary>Adam, with early stopping on the validation split.</summary>
    Adam,
}

/// <summary>How an image of any shape becomes a square.</summary>
public enum FitMode
{
    /// <summary>The shorter side becomes the size, and the middle is cut out.</summary>
    Crop,

    /// <summary>The longer side becomes the size, and the rest is filled with ImageNet's mean, which is zero after normalisation.</summary>
    Pad,

    /// <summary>Both sides become the size; the shape of things changes.</summary>
    Stretch,
}

/// <summary>The order of colours that a network takes.</summary>
public enum ChannelOrder
{
    /// <summary>Red, green, blue.</summary>
    Rgb,

    /// <summary>Blue, green, red.</summary>
    Bgr,
}

/// <summary>What a run is for.</summary>
public enum RunKind
{
    /// <summary>To train a head, or to predict with a model.</summary>
    Train,

    /// <summary>To find the best base for a data set.</summary>
    Compare,
}

/// <summary>What counts more, time or accuracy.</summary>
public enum Preset
{
    /// <summary>Smaller images.</summary>
    Fast,

    /// <summary>Images of the size that the base was made for.</summary>
    Balanced,

    /// <summary>Larger images, and their mirror images.</summary>
    Accurate,
}

/// <summary>What an image's features are taken of.</summary>
public enum ImageCrops
{
    /// <summary>The whole square.</summary>
    Whole,

    /// <summary>Its corners and its middle.</summary>
    Five,
}

/// <summary>The kernel of a resampling.</summary>
public enum ResampleFilter
{
    /// <summary>Triangle kernel, support 1.</summary>
    Bilinear,

    /// <summary>Keys' cubic kernel with a = -0.5, support 2.</summary>
    Bicubic,
}

/// <summary>How a JPEG is decoded that is several times as large as what it is resampled to.</summary>
public enum JpegDecoding
{
    /// <summary>Pixel by pixel, whatever its size.</summary>
    Full,

    /// <summary>At a half, a quarter or an eighth of its size, where that is still at least twice the size that it is then resampled to.</summary>
    Scaled,
}

/// <summary>Arithmetic of the feature extraction; the features are 32-bit in any case.</summary>
public enum Precision
{
    /// <summary>float32 throughout.</summary>
    Fp32,

    /// <summary>Convolutions and activations in bfloat16: faster only on processors that compute in it.</summary>
    Bf16,

    /// <summary>Convolutions and activations in float16, with sums in float32: for GPUs, older ones among them.</summary>
    Fp16,
}

/// <summary>The kinds of head.</summary>
public enum HeadKind
{
    /// <summary>One linear layer: multinomial logistic regression.</summary>
    Linear,

    /// <summary>Dense layers with ReLU and dropout before the linear one.</summary>
    Mlp,
}
