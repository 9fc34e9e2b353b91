using System.Text.RegularExpressions;

namespace Distributed.Networks;

/// <summary>Huang et al.: Densely Connected Convolutional Networks, 2017. Every layer of a block reads the outputs of all layers before it.</summary>
/// <remarks>Names are torchvision's without the prefix <c>features.</c>, as timm writes them too.</remarks>
public static partial class DenseNet
{
    /// <summary>SHA-256 of the file of the base <c>imagenet</c>.</summary>
    public const string ImagenetSha256 = "c894c6d9caa317a8ca1942986dee7a16a86c77734a4d691d2abe05389cfef358";

    /// <summary>A bottleneck has this many times the growth rate's channels.</summary>
    private const int BottleneckFactor = 4;

    /// <summary>6.95 million parameters without the classifier, 1,024 features.</summary>
    public static NetworkArchitecture DenseNet121 { get; } = Create("121", 32, [6, 12, 24, 16], 64);

    /// <summary>12.5 million parameters, 1,664 features.</summary>
    public static NetworkArchitecture DenseNet169 { get; } = Create("169", 32, [6, 12, 32, 32], 64);

    /// <summary>18.1 million parameters, 1,920 features.</summary>
    public static NetworkArchitecture DenseNet201 { get; } = Create("201", 32, [6, 12, 48, 32], 64);

    /// <summary>26.5 million parameters, 2,208 features.</summary>
    public static NetworkArchitecture DenseNet161 { get; } = Create("161", 48, [6, 12, 36, 24], 96);

    /// <summary>All of them.</summary>
    public static NetworkFamily Family { get; } =
        new([DenseNet121, DenseNet169, DenseNet201, DenseNet161], CanonicalName)
        {
            Pretrained =
            [
                new PretrainedBase("demo", DenseNet121)
                {
                    Description =
                        "Trained from scratch on CIFAR-10 for this project; knows only 32 px photos, and is there for trying things out",
                    TrainedOn = "CIFAR-10",
                    Origin = "demo weights",
                    Licence = "MIT",
                    InputSize = 96,
                    ShippedFile = "densenet121-cifar10-fp16.safetensors",
                    Sha256 = "ad2543ae012f9357fd0bf9b4c3bb8765f00e85a0f1abcefb23f76a5fec362102",
                    Megabytes = 14,
                },
                new PretrainedBase("imagenet", DenseNet121)
                {
                    Description = "The usual choice for photos: top-1 74.75 %",
                    TrainedOn = PretrainedBase.Imagenet,
                    Origin = "ImageNet-1k weights of torchvision as timm publishes them",
                    Licence = "Apache-2.0",
                    Url = new Uri("https://huggingface.co/timm/densenet121.tv_in1k/resolve/main/model.safetensors"),
                    Sha256 = ImagenetSha256,
                    Megabytes = 32,
                },
                PretrainedBase.OfTorchvision(
                    "densenet169",
                    DenseNet169,
                    "b2777c0a",
                    57,
                    "top-1 75.60 %, twice the parameters of DenseNet-121"
                ),
                PretrainedBase.OfTorchvision("densenet201", DenseNet201, "c1103571", 81, "top-1 76.90 %"),
                PretrainedBase.OfTorchvision("densenet161", DenseNet161, "8d451a50", 116, "The widest DenseNet: top-1 77.14 %"),
            ],
        };

    /// <summary>The convolutional base, from images to the mean of its last map.</summary>
    /// <param name="growthRate">Channels that every layer of a block adds.</param>
    /// <param name="blocks">Layers of each block.</param>
    /// <param name="initialFeatures">Channels of the first convolution.</param>
    private static Layer Build(int growthRate, int[] blocks, int initialFeatures)
    {
        var map = Layer
            .Start()
            .Then("conv0", new Convolution(initialFeatures, 7, 2))
            .ThenNormalizeAndRectify("norm0")
            .Then("pool0", new MaxPooling(3, 2));
        for (var block = 1; block <= blocks.Length; block++)
        {
            if (block > 1)
            {
                var name = $"transition{block - 1}";
                map = map.ThenNormalizeAndRectify(name + ".norm")
                    .Then(name + ".conv", new Convolution(map.Channels / 2, 1))
                    .Then(name + ".pool", new AveragePooling(2));
            }

            for (var layer = 1; layer <= blocks[block - 1]; layer++)
            {
                var name = $"denseblock{block}.denselayer{layer}";
                var added = map.ThenNormalizeAndRectify(name + ".norm1")
                    .Then(name + ".conv1", new Convolution(BottleneckFactor * growthRate, 1))
                    .ThenNormalizeAndRectify(name + ".norm2")
                    .Then(name + ".conv2", new Convolution(growthRate, 3));
                map = new Layer(name + ".concat", new Concatenation(), map, added);
            }
        }

        return map.ThenNormalizeAndRectify("norm5").Then("pool5", new GlobalAverage());
    }

    private static NetworkArchitecture Create(string depth, int growthRate, int[] blocks, int initialFeatures) =>
        new(
            "densenet" + depth,
            "DenseNet-" + depth,
            Preprocessing.Imagenet,
            32,
            () => Build(growthRate, blocks, initialFeatures),
            inner: [.. Enumerable.Range(1, blocks.Length - 1).Select(block => $"transition{block}.norm.relu")]
        );

    /// <summary>Older files write <c>norm.1</c> for <c>norm1</c>. Neither the classifier nor counters of batches take part in features.</summary>
    private static string? CanonicalName(string name) =>
        name.StartsWith("classifier.", StringComparison.Ordinal) || name.EndsWith(".num_batches_tracked", StringComparison.Ordinal)
            ? null
            : OldSpelling().Replace(name, "${kind}${number}");

    [GeneratedRegex(@"(?<=\.)(?<kind>norm|conv)\.(?<number>[12])(?=\.)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OldSpelling();
}
