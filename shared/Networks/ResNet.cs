namespace Distributed.Networks;

/// <summary>He et al.: Deep Residual Learning for Image Recognition, 2016. Every block adds to its input.</summary>
/// <remarks>
/// Names are torchvision's, which timm writes too. As there, a bottleneck's stride is in its 3×3 convolution (version 1.5), not in the 1×1
/// convolution before it.
/// </remarks>
public static class ResNet
{
    /// <summary>A bottleneck's outputs have this many times its width's channels.</summary>
    private const int Expansion = 4;

    private const int InitialFeatures = 64;

    /// <summary>11.2 million parameters without the classifier, 512 features.</summary>
    public static NetworkArchitecture ResNet18 { get; } = Create("18", [2, 2, 2, 2], AddBasic);

    /// <summary>21.3 million parameters, 512 features.</summary>
    public static NetworkArchitecture ResNet34 { get; } = Create("34", [3, 4, 6, 3], AddBasic);

    /// <summary>23.5 million parameters, 2,048 features.</summary>
    public static NetworkArchitecture ResNet50 { get; } = Create("50", [3, 4, 6, 3], AddBottleneck);

    /// <summary>42.5 million parameters, 2,048 features.</summary>
    public static NetworkArchitecture ResNet101 { get; } = Create("101", [3, 4, 23, 3], AddBottleneck);

    /// <summary>All of them.</summary>
    public static NetworkFamily Family { get; } =
        new([ResNet18, ResNet34, ResNet50, ResNet101], CanonicalName)
        {
            Pretrained =
            [
                PretrainedBase.OfTorchvision("resnet18", ResNet18, "f37072fd", 47, "The fastest of these: top-1 69.76 %"),
                PretrainedBase.OfTorchvision("resnet34", ResNet34, "b627a593", 87, "top-1 73.31 %"),
                PretrainedBase.OfTorchvision(
                    "resnet50",
                    ResNet50,
                    "0676ba61",
                    103,
                    "2,048 features, top-1 76.13 %: often the best frozen ResNet"
                ),
                PretrainedBase.OfTorchvision("resnet101", ResNet101, "63fe2227", 179, "2,048 features, top-1 77.37 %"),
            ],
        };

    private static NetworkArchitecture Create(string depth, int[] blocks, Func<Layer, string, int, int, Layer> add) =>
        new(
            "resnet" + depth,
            "ResNet-" + depth,
            Preprocessing.Imagenet,
            32,
            () => Build(blocks, add),
            inner: [.. blocks.SkipLast(1).Select((count, stage) => $"layer{stage + 1}.{count - 1}.relu")]
        );

    /// <summary>The convolutional base, from images to the mean of its last map.</summary>
    /// <param name="blocks">Blocks of each stage; from the second stage on, the first block halves the map.</param>
    /// <param name="add">Adds a block, given the map, the block's name, its width and its stride.</param>
    private static Layer Build(int[] blocks, Func<Layer, string, int, int, Layer> add)
    {
        var map = Layer
            .Start()
            .Then("conv1", new Convolution(InitialFeatures, 7, 2))
            .ThenNormalizeAndRectify("bn1")
            .Then("maxpool", new MaxPooling(3, 2));
        for (var stage = 0; stage < blocks.Length; stage++)
        {
            for (var block = 0; block < blocks[stage]; block++)
            {
                map = add(map, $"layer{stage + 1}.{block}", InitialFeatures << stage, stage > 0 && block == 0 ? 2 : 1);
            }
        }

        return map.Then("avgpool", new GlobalAverage());
    }

    private static Layer AddBasic(Layer map, string name, int width, int stride) =>
        Join(
            map,
            map.Then(name + ".conv1", new Convolution(width, 3, stride))
                .ThenNormalizeAndRectify(name + ".bn1")
                .Then(name + ".conv2", new Convolution(width, 3))
                .Then(name + ".bn2", new Normalization()),
            name,
            stride
        );

    private static Layer AddBottleneck(Layer map, string name, int width, int stride) =>
        Join(
            map,
            map.Then(name + ".conv1", new Convolution(width, 1))
                .ThenNormalizeAndRectify(name + ".bn1")
                .Then(name + ".conv2", new Convolution(width, 3, stride))
                .ThenNormalizeAndRectify(name + ".bn2")
                .Then(name + ".conv3", new Convolution(width * Expansion, 1))
                .Then(name + ".bn3", new Normalization()),
            name,
            stride
        );

    /// <summary>Adds a block's input to its output; where they differ in size, through a 1×1 convolution.</summary>
    private static Layer Join(Layer map, Layer added, string name, int stride)
    {
        var shortcut =
            stride == 1 && map.Channels == added.Channels
                ? map
                : map.Then(name + ".downsample.0", new Convolution(added.Channels, 1, stride))
                    .Then(name + ".downsample.1", new Normalization());
        return new Layer(name + ".add", new Addition(), added, shortcut).Then(name + ".relu", new Rectifier());
    }

    /// <summary>Neither the classifier nor counters of batches take part in features.</summary>
    private static string? CanonicalName(string name) =>
        name.StartsWith("fc.", StringComparison.Ordinal) || name.EndsWith(".num_batches_tracked", StringComparison.Ordinal) ? null : name;
}
