using Distributed.Networks;
using Distributed.Vision.Onnx;
using TorchSharp;

namespace Distributed.Vision.Engines;

/// <summary>A frozen network that turns images into features.</summary>
/// <remarks>
/// Not for several threads at once. LibTorch's dispose scopes belong to a thread, so call it from one dedicated thread and
/// never await in between.
/// </remarks>
public interface IBackbone : IDisposable
{
    /// <summary>Name of the architecture, such as <c>densenet121</c>.</summary>
    string Name { get; }

    /// <summary>What identifies the weights: SHA-256 of their file, or of the recipe of random ones; 64 lower-case hexadecimal digits.</summary>
    string Sha256 { get; }

    /// <summary>The file of a base from an ONNX file, and how it is used; null for other bases, whose file's hash is <see cref="Sha256"/>.</summary>
    OnnxUse? Onnx { get; }

    /// <summary>One line for people: architecture, and where the weights come from.</summary>
    string Origin { get; }

    /// <summary>Feature dimension: the numbers that an image is turned into.</summary>
    int FeatureSize { get; }

    /// <summary>Smallest height and width of an image that the network can take, pixels.</summary>
    int SmallestInput { get; }

    /// <summary>The only height and width that it takes, pixels; null where it takes others.</summary>
    int? OnlyInput { get; }

    /// <summary>How pixel values are normalised before the first layer.</summary>
    Preprocessing Preprocessing { get; }

    /// <summary>The same as a stable text, fit for keys; of all bases where several are joined.</summary>
    string Normalisation => Preprocessing.Description;

    /// <summary>The arithmetic it computes in.</summary>
    Precision Precision { get; }

    /// <summary>Where it computes.</summary>
    torch.Device Device { get; }

    /// <summary>
    /// Whether it gives images to its threads a few at a time, so that a larger batch takes no more memory than its images, and has fewer
    /// ends at which threads wait for the last one. Else the size of a batch has to be found by measurement.
    /// </summary>
    bool TakesAnyBatch { get; }

    /// <summary>The same weights in another precision or on another device: a new backbone, which the caller disposes.</summary>
    IBackbone ConvertTo(Precision precision, torch.Device device);

    /// <summary>Computes features, without gradients.</summary>
    /// <param name="images">uint8 [n, height, width, 3] RGB, contiguous, on any device.</param>
    /// <returns>float32 [n, <see cref="FeatureSize"/>] on <see cref="Device"/>.</returns>
    /// <exception cref="ArgumentException">The tensor has another type or shape, or the images are smaller than <see cref="SmallestInput"/>.</exception>
    torch.Tensor Features(torch.Tensor images);
}
