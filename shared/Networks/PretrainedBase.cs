namespace Distributed.Networks;

/// <summary>Weights that a run names by one word.</summary>
/// <param name="Name">The word: lower-case letters, digits and hyphens.</param>
/// <param name="Title">Name for people, such as <c>DenseNet-121</c>.</param>
/// <param name="Parameters">Numbers that were learned, without a classifier; null where they are not known.</param>
/// <param name="FeatureSize">Numbers that an image is turned into; null where they are not known before it is loaded.</param>
public sealed record PretrainedBase(string Name, string Title, long? Parameters, int? FeatureSize)
{
    /// <summary>The 1,000 classes of ImageNet, whose images several test sets were taken from.</summary>
    public const string Imagenet = "ImageNet-1k";

    /// <summary>Weights of one of the networks that this library has the graph of.</summary>
    public PretrainedBase(string name, NetworkArchitecture architecture)
        : this(name, architecture.Title, ParametersOf(architecture), architecture.FeatureSize) => Architecture = architecture;

    /// <summary>One line on what they are good for.</summary>
    public required string Description { get; init; }

    /// <summary>Data that they were trained on.</summary>
    public required string TrainedOn { get; init; }

    /// <summary>SPDX identifier of the licence that they are published under; <c>unknown</c> where nobody says.</summary>
    public required string Licence { get; init; }

    /// <summary>Where they come from, for people; where nothing else is said, what they were trained on.</summary>
    public string Origin
    {
        get => field ?? $"weights trained on {TrainedOn}";
        init;
    }

    /// <summary>The network; null for an ONNX file.</summary>
    public NetworkArchitecture? Architecture { get; init; }

    /// <summary>Height and width of the images that they were made for, pixels.</summary>
    public int InputSize { get; init; } = 224;

    /// <summary>Whether it takes no other height and width.</summary>
    public bool IsOnlySize { get; init; }

    /// <summary>Name of the file that is delivered with the hosts that compute features; null for a download.</summary>
    public string? ShippedFile { get; init; }

    /// <summary>Where the file is published; null for one that is delivered.</summary>
    public Uri? Url { get; init; }

    /// <summary>SHA-256 of the file, 64 lower-case hexadecimal digits; null where none is published: then that of the first download is demanded ever after.</summary>
    public string? Sha256 { get; init; }

    /// <summary>What the SHA-256 of the file begins with; null where none is published.</summary>
    public string? Sha256Prefix { get; init; }

    /// <summary>Length of the file, about, in millions of bytes; null where it is not known.</summary>
    public required int? Megabytes { get; init; }

    /// <summary>How an ONNX file expects images; null for networks of this library, whose weights say it.</summary>
    public Preprocessing? Preprocessing { get; init; }

    /// <summary>Which numbers of an ONNX file the features are; null for a pooled vector.</summary>
    public string? Output { get; init; }

    /// <summary>Where a downloaded file stands, below the volume's root.</summary>
    public string VolumePath => $"backbones/{Name}{Extension}";

    /// <summary>Ending of the file's name, which says its format; a mirror's address may have none.</summary>
    internal string Extension
    {
        get => field ?? Path.GetExtension(Url?.AbsolutePath ?? ShippedFile ?? "");
        init;
    }

    /// <summary>Weights of torchvision's own server, whose files carry the beginning of their SHA-256 in their names.</summary>
    internal static PretrainedBase OfTorchvision(
        string name,
        NetworkArchitecture architecture,
        string sha256Prefix,
        int megabytes,
        string description
    ) =>
        new(name, architecture)
        {
            Description = description,
            TrainedOn = Imagenet,
            Origin = "ImageNet-1k weights of torchvision",
            Licence = "BSD-3-Clause",
            Megabytes = megabytes,
            Url = new Uri($"https://download.pytorch.org/models/{architecture.Name}-{sha256Prefix}.pth"),
            Sha256Prefix = sha256Prefix,
        };

    internal static long ParametersOf(NetworkArchitecture architecture) =>
        architecture
            .Graph.TensorShapes.Where(tensor => !tensor.Key.Contains(".running_", StringComparison.Ordinal))
            .Sum(tensor => tensor.Value.Aggregate(1L, (product, extent) => product * extent));
}
