namespace Distributed.Networks;

/// <summary>All weights that a run can name by one word; operators add others by configuration.</summary>
public static class PretrainedBases
{
    /// <summary>The base that is delivered, and the default.</summary>
    public const string Demo = "demo";

    /// <summary>Weights drawn at random, the lower bound of every comparison.</summary>
    public const string Random = "random";

    private static readonly Preprocessing _halves = new([0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f]);

    // CNTK's networks take pixels of 0 to 255, blue first, minus a mean image, whose averages these are.
    private static readonly Preprocessing _cntk = new(
        [123.15f / 255, 115.90f / 255, 103.06f / 255],
        [1 / 255f, 1 / 255f, 1 / 255f],
        isBgr: true
    );

    /// <summary>The list, those of this library's own networks first.</summary>
    public static IReadOnlyList<PretrainedBase> All { get; } =
    [
        .. NetworkFamily.All.SelectMany(family => family.Pretrained),
        new PretrainedBase("mlnet-resnet18", "ResNet-18", 11_167_424, 512)
        {
            Description = "ImageNet's ResNet-18 as ML.NET ships it: real transfer without a download",
            TrainedOn = PretrainedBase.Imagenet,
            Origin = "ImageNet-1k weights of the package Microsoft.ML.DnnImageFeaturizer.ResNet18",
            Licence = "unknown",
            ShippedFile = "mlnet-resnet18.onnx",
            Sha256 = "e2552f19db2dfdb01b3669537b6a0f1b44da38d18279535492ed5dfc2ef1ff8f",
            Megabytes = 64,
            Preprocessing = _cntk,
        },
        OfHuggingFace("dinov2-small", "DINOv2 ViT-S/14", 22_056_576, 768, "onnx-community/dinov2-small", "model", 89) with
        {
            Description = "Self-supervised; good where classes are unlike ImageNet's (kNN 79.0 % on it)",
            TrainedOn = "LVD-142M",
            Output = "class+patches",
        },
        OfHuggingFace("dinov2-base", "DINOv2 ViT-B/14", 86_580_480, 1536, "onnx-community/dinov2-base", "model", 347) with
        {
            Description = "Self-supervised, most often the most accurate here (kNN 82.1 % on ImageNet), and the slowest",
            TrainedOn = "LVD-142M",
            Output = "class+patches",
        },
        OfHuggingFace(
            "siglip2-base",
            "SigLIP 2 ViT-B/16",
            92_884_224,
            768,
            "onnx-community/siglip2-base-patch16-256-ONNX",
            "vision_model",
            372
        ) with
        {
            Description = "Trained on pictures and their captions; good for everyday things and products",
            TrainedOn = "WebLI",
            InputSize = 256,
            IsOnlySize = true,
            Preprocessing = _halves,
        },
        OfHuggingFace("convnext-tiny", "ConvNeXt-T", 27_820_128, 768, "Xenova/convnext-tiny-224", "model", 114) with
        {
            Description = "A modern convolutional network: top-1 82.1 %",
            TrainedOn = PretrainedBase.Imagenet,
        },
        OfHuggingFace(
            "mobilenetv4-medium",
            "MobileNetV4-Conv-M",
            8_434_512,
            1280,
            "onnx-community/mobilenetv4_conv_medium.e500_r256_in1k",
            "model",
            39
        ) with
        {
            Description = "Small and fast on any processor: top-1 79.9 % at 256 px",
            TrainedOn = PretrainedBase.Imagenet,
            InputSize = 256,
        },
    ];

    /// <summary>Finds a base by its word.</summary>
    public static PretrainedBase? Find(string name) => All.FirstOrDefault(known => known.Name == name);

    /// <summary>The base that some weights are, whatever a run called their file.</summary>
    /// <param name="source">What the run called them.</param>
    /// <param name="sha256">SHA-256 of their file.</param>
    /// <returns>Null where they are somebody's own.</returns>
    public static PretrainedBase? Identify(string source, string sha256) =>
        Find(source) ?? All.FirstOrDefault(known => known.Sha256 == sha256);

    private static PretrainedBase OfHuggingFace(
        string name,
        string title,
        long parameters,
        int features,
        string repository,
        string file,
        int megabytes
    ) =>
        new(name, title, parameters, features)
        {
            Description = "",
            TrainedOn = "",
            Megabytes = megabytes,
            Licence = "Apache-2.0",
            Url = new Uri($"https://huggingface.co/{repository}/resolve/main/onnx/{file}.onnx"),
            Preprocessing = Preprocessing.Imagenet,
        };
}
