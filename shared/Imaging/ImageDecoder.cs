using Distributed.Imaging.Jpeg;
using Distributed.Storage;
using SkiaSharp;

namespace Distributed.Imaging;

/// <summary>
/// Decodes image files (JPEG, PNG, WebP, BMP, GIF and whatever else the codec reads) to RGB. The pixels are those of the file:
/// colour profiles are not applied (as PIL does not), transparency is composed on white, and the EXIF orientation of JPEG, PNG and WebP is carried out
/// (GIF and BMP have none). Of an animation the first frame is taken. The codec is SkiaSharp, and this type is the only one that knows;
/// usual JPEG files are decoded by <see cref="JpegDecoder"/>, to the same pixels.
/// </summary>
public static class ImageDecoder
{
    /// <summary>The most pixels an image may have. It bounds the memory one image costs: <see cref="BytesAPixel"/> a pixel while decoding.</summary>
    public const long MaximalPixels = 50_000_000;

    /// <summary>What a pixel costs while an image is decoded: four bytes as it is stored, as many when it is turned.</summary>
    internal const int BytesAPixel = 8;

    /// <summary>The longest side, in pixels: that of the largest JPEG. It bounds what a long and narrow image costs when it is stretched.</summary>
    public const int MaximalSide = 65_535;

    /// <summary>
    /// The most pixels that a byte of a file may stand for, beyond <see cref="FreePixels"/>. Photographs have about 10, empty pages a few hundred;
    /// a file of some bytes could claim all of <see cref="MaximalPixels"/>, and cost their memory.
    /// </summary>
    public const int MaximalPixelsPerByte = 1000;

    /// <summary>What every image may have, however short its file is.</summary>
    public const long FreePixels = 1 << 20;

    /// <summary>The fewest pixels a side may have; less shows nothing to learn from.</summary>
    public const int MinimalSide = 8;

    private const string CutShort = "the file is cut short";

    /// <summary>Decodes one file.</summary>
    /// <param name="encoded">The whole file.</param>
    /// <returns>The image as it is to be looked at.</returns>
    /// <exception cref="ImageRejectedException">The bytes are no image, are cut short or damaged, or the image is too small or too large.</exception>
    public static RgbImage Decode(ReadOnlySpan<byte> encoded)
    {
        using var image = Decode(encoded, preparation: null, out _, out _);
        return new RgbImage(image.Width, image.Height, image.ToRgb());
    }

    /// <summary>Decodes one file and makes the image square.</summary>
    /// <param name="encoded">The whole file.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <exception cref="ImageRejectedException">The bytes are no image, are cut short or damaged, or the image is too small or too large.</exception>
    public static SquareImage Decode(ReadOnlySpan<byte> encoded, ImagePreparation preparation)
    {
        ArgumentNullException.ThrowIfNull(preparation);
        using var image = Decode(encoded, preparation, out var width, out var height);
        return new SquareImage(width, height, ImageFitting.Fit(image, preparation));
    }

    /// <summary>Decodes one file as far as a preparation asks for its pixels; all of them where there is none.</summary>
    /// <param name="encoded">The whole file.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <param name="width">Width of the image in the file, as it is to be looked at.</param>
    /// <param name="height">Height of the image in the file, as it is to be looked at.</param>
    private static RgbaImage Decode(ReadOnlySpan<byte> encoded, ImagePreparation? preparation, out int width, out int height)
    {
        if (encoded.IsEmpty)
        {
            throw new ImageRejectedException(SkipReason.Damaged, "the file is empty");
        }

        var (image, orientation) =
            DecodeJpeg(encoded, preparation, out width, out height) ?? DecodeAny(encoded, preparation, out width, out height);
        (width, height) = ImageOrientation.IsTurned(orientation) ? (height, width) : (width, height);
        return ImageOrientation.Apply(image, orientation);
    }

    /// <summary>Most JPEG files are decoded here.</summary>
    /// <returns>Null for what the codec is to decode, or to find wrong.</returns>
    private static (RgbaImage Image, int Orientation)? DecodeJpeg(
        ReadOnlySpan<byte> encoded,
        ImagePreparation? preparation,
        out int width,
        out int height
    )
    {
        (width, height) = (0, 0);
        if (!JpegDecoder.IsSupported || JpegHeader.Read(encoded) is not { } header)
        {
            return null;
        }

        (width, height) = (header.Width, header.Height);
        CheckSize(width, height, encoded.Length);
        return JpegDecoder.Decode(header, encoded, ScaleOf(width, height, preparation)) is { } image ? (image, header.Orientation) : null;
    }

    private static (RgbaImage Image, int Orientation) DecodeAny(
        ReadOnlySpan<byte> encoded,
        ImagePreparation? preparation,
        out int width,
        out int height
    )
    {
        unsafe
        {
            fixed (byte* bytes = encoded)
            {
                using var data = SKData.Create((IntPtr)bytes, encoded.Length);
                using var codec = SKCodec.Create(data) ?? throw NoImage(encoded);
                var isJpeg = codec.EncodedFormat == SKEncodedImageFormat.Jpeg;
                if (isJpeg && !JpegEnd.IsThere(encoded))
                {
                    throw new ImageRejectedException(SkipReason.Damaged, CutShort);
                }

                (width, height) = (codec.Info.Width, codec.Info.Height);
                CheckSize(width, height, encoded.Length);
                var scale = isJpeg ? ScaleOf(width, height, preparation) : 1;
                // The codec knows the orientation of JPEG and WebP; of PNG it does not look for it.
                return (
                    Decode(codec, scale == 1 ? codec.Info.Size : codec.GetScaledDimensions(1f / scale)),
                    codec.EncodedFormat == SKEncodedImageFormat.Png ? PngOrientation.Find(encoded) : (int)codec.EncodedOrigin
                );
            }
        }
    }

    private static int ScaleOf(int width, int height, ImagePreparation? preparation) =>
        preparation is null ? 1 : ImageFitting.ScaleOf(width, height, preparation);

    private static void CheckSize(int width, int height, long length)
    {
        if (width < MinimalSide || height < MinimalSide)
        {
            throw new ImageRejectedException(
                SkipReason.NotAnImage,
                $"the image is {width}×{height} pixels; each side needs at least {MinimalSide}"
            );
        }

        var count = (long)width * height;
        if (count > MaximalPixels || Math.Max(width, height) > MaximalSide)
        {
            throw new ImageRejectedException(
                SkipReason.TooLarge,
                $"the image is {width}×{height} pixels; the most is {MaximalPixels / 1_000_000} million in all, and {MaximalSide} a side"
            );
        }

        if (count > FreePixels + (length * MaximalPixelsPerByte))
        {
            throw new ImageRejectedException(
                SkipReason.TooLarge,
                $"the image is {width}×{height} pixels, and its file has {length} bytes; the most is {MaximalPixelsPerByte} pixels a byte"
            );
        }
    }

    private static unsafe RgbaImage Decode(SKCodec codec, SKSizeI size)
    {
        // Without a colour space in the target nothing is converted. Unpremultiplied: dark colours keep their bits under transparency.
        var opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        var target = new SKImageInfo(
            size.Width,
            size.Height,
            SKColorType.Rgba8888,
            opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul,
            colorspace: null
        );
        var image = new RgbaImage(size.Width, size.Height);
        fixed (byte* pixels = image.Bytes)
        {
            var result = codec.GetPixels(target, (IntPtr)pixels);
            if (result != SKCodecResult.Success)
            {
                image.Dispose();
                throw NotDecoded(result);
            }

            if (!opaque)
            {
                PutOnWhite(pixels, (long)size.Width * size.Height);
            }
        }

        return image;
    }

    private static unsafe void PutOnWhite(byte* pixels, long count)
    {
        for (var pixel = 0L; pixel < count; pixel++, pixels += 4)
        {
            var alpha = pixels[3];
            pixels[0] = OnWhite(pixels[0], alpha);
            pixels[1] = OnWhite(pixels[1], alpha);
            pixels[2] = OnWhite(pixels[2], alpha);
        }
    }

    private static byte OnWhite(int value, int alpha)
    {
        if (alpha == 255)
        {
            return (byte)value;
        }

        // Division by 255, rounded, in two shifts: exact for every 16-bit value (and what PIL's paste does).
        var sum = (value * alpha) + (255 * (255 - alpha)) + 128;
        return (byte)(((sum >> 8) + sum) >> 8);
    }

    private static ImageRejectedException NotDecoded(SKCodecResult result) =>
        result switch
        {
            SKCodecResult.IncompleteInput => new ImageRejectedException(SkipReason.Damaged, CutShort),
            SKCodecResult.ErrorInInput => new ImageRejectedException(SkipReason.Damaged, "the image data is damaged"),
            _ => new ImageRejectedException(
                SkipReason.UnsupportedFormat,
                $"the image cannot be decoded ({result}); save it again as JPEG or PNG"
            ),
        };

    /// <summary>The first bytes show what the codec takes for no image.</summary>
    private static ImageRejectedException NoImage(ReadOnlySpan<byte> encoded)
    {
        const string Convert = "convert it to JPEG or PNG";
        return FileFormats.Recognize(encoded[..Math.Min(encoded.Length, FileFormats.HeadBytes)]) switch
        {
            null => new ImageRejectedException(SkipReason.NotAnImage, $"it is not an image of a known format; {Convert}, or remove it"),
            { Kind: FileKind.Image } format => new ImageRejectedException(
                SkipReason.Damaged,
                $"it begins as {format.Name} and is damaged, or of a rare kind; copy it again, or {Convert}"
            ),
            { Kind: FileKind.ForeignImage } format => new ImageRejectedException(
                SkipReason.UnsupportedFormat,
                $"it is {format.Name}, which is not read; {Convert}{format.Example}"
            ),
            { Kind: FileKind.Video } format => new ImageRejectedException(
                SkipReason.UnsupportedFormat,
                $"it is {format.Name}, which is not read; save single frames of it as JPEG or PNG"
            ),
            { Kind: FileKind.Document } format => new ImageRejectedException(
                SkipReason.UnsupportedFormat,
                $"it is {format.Name}, which is not read; save its pages as JPEG or PNG{format.Example}"
            ),
            { Kind: FileKind.Archive } format => new ImageRejectedException(
                SkipReason.NotAnImage,
                $"it is {format.Name}; unpack it, and put the images themselves there"
            ),
            { Remedy: { } remedy } format => new ImageRejectedException(SkipReason.NotAnImage, $"it is {format.Name}: {remedy}"),
            { } format => new ImageRejectedException(SkipReason.NotAnImage, $"it is {format.Name} and not an image; remove it"),
        };
    }
}
