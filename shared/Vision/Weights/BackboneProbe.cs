using System.Runtime.InteropServices;
using Distributed.Vision.Engines;
using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>
/// Finds weights that are finite one by one and useless together: a network whose numbers grow beyond float32 on their way, or that
/// lets nothing of an image through. Kernels that compute max(x, 0) make 0 of what is no number, so their features look sound.
/// </summary>
public static class BackboneProbe
{
    private const int UsualSize = 64;

    /// <summary>Computes the features of a grey image and of one of noise, layer by layer as the network is written.</summary>
    /// <param name="backbone">As <see cref="BackboneSource.Load"/> gave it.</param>
    /// <exception cref="WeightsException">The features are no finite numbers, or are the same.</exception>
    public static void ThrowIfUnusable(IBackbone backbone)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        var size = backbone.OnlyInput ?? UsualSize;
        var pixels = new byte[2 * size * size * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = i < pixels.Length / 2 ? (byte)128 : (byte)SeededRandom.Hash(0, i);
        }

        using var scope = torch.NewDisposeScope();
        var images = torch.empty([2, size, size, 3], dtype: torch.ScalarType.Byte);
        pixels.CopyTo(images.bytes);
        var features = MemoryMarshal.Cast<byte, float>(backbone.Features(images).cpu().contiguous().bytes);
        var beyond = 0;
        foreach (var value in features)
        {
            beyond += float.IsFinite(value) ? 0 : 1;
        }

        if (beyond > 0)
        {
            throw new WeightsException(
                $"{backbone.Origin}: {beyond} of {features.Length} features of two trial images are no finite numbers, though all "
                    + "weights are: their products grow beyond float32. Take weights of an earlier epoch, or other ones."
            );
        }

        if (features[..backbone.FeatureSize].SequenceEqual(features[backbone.FeatureSize..]))
        {
            throw new WeightsException(
                $"{backbone.Origin}: a grey image and one of noise have the same features, so the weights let nothing of an image "
                    + "through; are some layers all zeros? Take other weights."
            );
        }
    }
}
