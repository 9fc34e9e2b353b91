using Distributed.Datasets.Imaging;
using Distributed.Imaging;

namespace Distributed.Ingestion;

/// <summary>Where images are decoded: in this process, until one has died over a part; then the part's images in processes of their own.</summary>
/// <param name="Local">In this process.</param>
/// <param name="Isolate">Starts decoding apart from it.</param>
public sealed record ImageDecodings(IImageDecoding Local, Func<IsolatedImageDecoding> Isolate)
{
    /// <summary>With the codec of all hosts.</summary>
    public static ImageDecodings Default { get; } = new(LocalImageDecoding.Default, IsolatedImageDecoding.Create);
}
