namespace Distributed.Artifacts;

/// <summary>
/// DenseNet-121 trained on ImageNet-1k by torchvision (top-1 74.75 %), as timm publishes it. Ingestion fetches the file, Training reads it.
/// </summary>
public static class ImagenetWeights
{
    /// <summary>SHA-256 of the file.</summary>
    public const string Sha256 = "c894c6d9caa317a8ca1942986dee7a16a86c77734a4d691d2abe05389cfef358";

    /// <summary>Where it stands, below the volume's root.</summary>
    public const string VolumePath = "backbones/densenet121.tv_in1k.safetensors";

    /// <summary>The one architecture that they are for.</summary>
    public const string Architecture = "densenet121";

    /// <summary>Where it is published.</summary>
    public static Uri Url { get; } = new("https://huggingface.co/timm/densenet121.tv_in1k/resolve/main/model.safetensors");
}
