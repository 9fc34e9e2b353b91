namespace Distributed.Vision;

/// <summary>
/// The ImageNet weights of DenseNet-121 that torchvision trained, as timm publishes them (top-1 accuracy 74.75 %). This
/// project does not carry them: who wants them fetches them once, checks the hash, and names the file.
/// </summary>
public static class ImagenetWeights
{
    /// <summary>Where to fetch them.</summary>
    public static readonly Uri Url = new("https://huggingface.co/timm/densenet121.tv_in1k/resolve/main/model.safetensors");

    /// <summary>SHA-256 of the file.</summary>
    public const string Sha256 = "c894c6d9caa317a8ca1942986dee7a16a86c77734a4d691d2abe05389cfef358";

    /// <summary>Name to store the file under.</summary>
    public const string FileName = "densenet121.tv_in1k.safetensors";

    /// <summary>About how long the file is, megabytes (10^6 bytes); the hash tells exactly.</summary>
    public const double Megabytes = 32.3;
}
