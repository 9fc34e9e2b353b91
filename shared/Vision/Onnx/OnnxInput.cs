using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>The images that a model takes.</summary>
/// <param name="Name">Of the input.</param>
/// <param name="Batch">Images at a time: those that the file asks for, or 1.</param>
/// <param name="IsChannelsLast">Whether it takes [n, height, width, 3] and not [n, 3, height, width].</param>
/// <param name="Size">Height and width that the file fixes, pixels; null where it takes others.</param>
internal sealed record OnnxInput(string Name, int Batch, bool IsChannelsLast, int? Size)
{
    /// <summary>What models are tried with that do not say a size.</summary>
    public const int UsualSize = 224;

    private const int Float32 = 1;
    private const int MostImages = 1024;
    private const int LargestSize = 4096;

    /// <summary>Reads it.</summary>
    /// <exception cref="WeightsException">The model takes something else than images.</exception>
    public static OnnxInput Of(OnnxFile file)
    {
        if (file.Inputs is not [var input])
        {
            throw new WeightsException(
                $"{file.Source} has {file.Inputs.Count} inputs ({string.Join(", ", file.Inputs.Take(5).Select(each => $"'{each.Name}'"))}), and a base takes images alone. Export the image encoder by itself."
            );
        }

        var shape =
            $"[{string.Join(", ", input.Shape?.Select(extent => $"{extent?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?"}") ?? ["?"])}]";
        if (input.ElementType != Float32 || input.Shape is not [var batch, var second, var third, var fourth])
        {
            throw new WeightsException(
                $"The input '{input.Name}' of {file.Source} is {shape} of the element type {input.ElementType}; float32 images [n, 3, height, width] or [n, height, width, 3] are understood. Export the model with such an input."
            );
        }

        // Where nothing is said of the channels, they come first, as exporters of PyTorch have them.
        var isChannelsLast = fourth == 3 && second != 3;
        var (height, width) = isChannelsLast ? (second, third) : (third, fourth);
        if ((!isChannelsLast && second is not (3 or null)) || height != width || height > LargestSize || batch > MostImages)
        {
            throw new WeightsException(
                $"The input '{input.Name}' of {file.Source} is {shape}; square images of 3 channels are understood, at most {LargestSize} px and {MostImages} at a time. Export the model with such an input."
            );
        }

        return new OnnxInput(input.Name, (int)(batch ?? 1), isChannelsLast, (int?)height);
    }
}
