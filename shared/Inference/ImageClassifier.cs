using Distributed.Contracts;
using Distributed.Imaging;
using Microsoft.ML.OnnxRuntime;

namespace Distributed.Inference;

/// <summary>A model that classifies images. It is safe for any number of threads, and keeps nothing of an image.</summary>
public sealed class ImageClassifier : IDisposable
{
    private const string Input = "images";
    private const string Output = "probabilities";

    private static readonly string[] Inputs = [Input];
    private static readonly string[] Outputs = [Output];

    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();

    private ImageClassifier(ModelDescription description, InferenceSession session) => (Model, _session) = (description, session);

    /// <summary>What the package says of the model.</summary>
    public ModelDescription Model { get; }

    /// <summary>Names of the classes.</summary>
    public IReadOnlyList<string> Classes => Model.Classes;

    /// <summary>Loads a model.</summary>
    /// <param name="path">A package, as <c>model export</c> or the API's <c>export</c> gives it.</param>
    /// <param name="configure">
    /// Changes what ONNX Runtime does, such as its number of threads or where it computes; the default computes on all cores of the
    /// processor.
    /// </param>
    /// <exception cref="ModelFileException">The file is no package, is damaged, or is of a later version.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ImageClassifier Load(string path, Action<SessionOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var (description, network) = ModelPackage.Read(path);
        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
        configure?.Invoke(options);
        try
        {
            return new ImageClassifier(description, new InferenceSession(network, options));
        }
        catch (OnnxRuntimeException exception)
        {
            throw new ModelFileException($"ONNX Runtime cannot load the network in '{path}': {exception.Message}", exception);
        }
    }

    /// <summary>Classifies an image.</summary>
    /// <param name="image">An image file: JPEG, PNG, WebP, BMP or GIF. It is read to its end and not closed.</param>
    /// <exception cref="ImageRejectedException">The image cannot be used; the message says why.</exception>
    public Classification Predict(Stream image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var content = new MemoryStream();
        image.CopyTo(content);
        return Predict(content.GetBuffer().AsSpan(0, (int)content.Length));
    }

    /// <summary>Classifies an image.</summary>
    /// <param name="image">The content of an image file.</param>
    /// <inheritdoc cref="Predict(Stream)"/>
    public Classification Predict(ReadOnlySpan<byte> image) =>
        PredictPixels(
            ImageDecoder
                .Decode(
                    image,
                    new ImagePreparation(Model.InputSize, Model.Fit, Model.Decoding)
                    {
                        CropShare = Model.CropShare,
                        Resampling = Model.Resampling,
                    }
                )
                .Pixels
        );

    /// <summary>Classifies an image that is decoded and square.</summary>
    /// <param name="pixels">size × size × 3 bytes, RGB, row by row; the size is <see cref="ModelDescription.InputSize"/>.</param>
    /// <exception cref="ArgumentException">There is another number of bytes.</exception>
    public Classification PredictPixels(byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        var size = Model.InputSize;
        if (pixels.Length != size * size * 3)
        {
            throw new ArgumentException($"The model takes {size} × {size} × 3 bytes, and not {pixels.Length}.", nameof(pixels));
        }

        using var input = OrtValue.CreateTensorValueFromMemory(pixels, [1, size, size, 3]);
        using var results = _session.Run(_run, Inputs, [input], Outputs);
        var probabilities = results[0].GetTensorDataAsSpan<float>().ToArray();
        return new Classification([
            .. probabilities
                .Select((probability, label) => (probability, label))
                .OrderByDescending(pair => pair.probability)
                .ThenBy(pair => pair.label)
                .Select(pair => new ClassProbability(Classes[pair.label], pair.probability)),
        ]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session.Dispose();
        _run.Dispose();
    }
}
