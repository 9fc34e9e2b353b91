using Distributed.Networks;

namespace Distributed.Artifacts;

/// <summary>The file of <see cref="DenseNet.Imagenet"/>. Ingestion fetches it, Training reads it.</summary>
public static class ImagenetWeights
{
    /// <summary>SHA-256 of the file.</summary>
    public const string Sha256 = DenseNet.ImagenetSha256;

    /// <summary>Where it stands, below the volume's root.</summary>
    public const string VolumePath = "backbones/densenet121.tv_in1k.safetensors";

    /// <summary>Where it is published.</summary>
    public static Uri Url => DenseNet.Imagenet.Url;
}
