namespace Distributed.Imaging;

/// <summary>Decodes an image file and makes the image square.</summary>
/// <param name="encoded">The whole file.</param>
/// <param name="preparation">What becomes of it.</param>
/// <exception cref="ImageRejectedException">The image cannot be used.</exception>
public delegate SquareImage DecodeImage(ReadOnlySpan<byte> encoded, ImagePreparation preparation);

/// <summary>An image made square.</summary>
/// <param name="Width">Width of the source image in pixels.</param>
/// <param name="Height">Height of the source image in pixels.</param>
/// <param name="Pixels">size × size × 3 bytes, RGB, row by row.</param>
public sealed record SquareImage(int Width, int Height, byte[] Pixels);

/// <summary>Where image files are decoded and made square. Wherever it is, the pixels are the same.</summary>
public interface IImageDecoding
{
    /// <summary>Decodes a file and makes the image square.</summary>
    /// <param name="encoded">The whole file.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="ImageRejectedException">The image cannot be used.</exception>
    ValueTask<SquareImage> DecodeAsync(ReadOnlyMemory<byte> encoded, ImagePreparation preparation, CancellationToken cancellationToken);
}

/// <summary>Decodes in this process: fast, and the end of the process where a file makes the codec fail.</summary>
/// <param name="decode">The decoder.</param>
public sealed class LocalImageDecoding(DecodeImage decode) : IImageDecoding
{
    /// <summary>With <see cref="ImageDecoder"/>.</summary>
    public static LocalImageDecoding Default { get; } = new(ImageDecoder.Decode);

    /// <inheritdoc/>
    public ValueTask<SquareImage> DecodeAsync(
        ReadOnlyMemory<byte> encoded,
        ImagePreparation preparation,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult(decode(encoded.Span, preparation));
}
