using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Distributed.Storage;
using SkiaSharp;

namespace Distributed.Imaging;

/// <summary>
/// Decodes image files (JPEG, PNG, WebP, BMP, GIF and whatever else the codec reads) to RGB. The pixels are those of the file:
/// colour profiles are not applied (as PIL does not), transparency is composed on white, and the EXIF orientation of JPEG, PNG and WebP is carried out
/// (GIF and BMP have none). Of an animation the first frame is taken. The codec is SkiaSharp, and this type is the only one that knows.
/// </summary>
public static class ImageDecoder
{
    /// <summary>The most pixels an image may have. It bounds the memory one image costs: <see cref="BytesAPixel"/> a pixel while decoding.</summary>
    public const long MaximalPixels = 50_000_000;

    /// <summary>What a pixel costs while an image is decoded: four bytes of the codec's, three of the result's.</summary>
    internal const int BytesAPixel = 7;

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
        if (encoded.IsEmpty)
        {
            throw new ImageRejectedException(SkipReason.Damaged, "the file is empty");
        }

        unsafe
        {
            fixed (byte* bytes = encoded)
            {
                using var data = SKData.Create((IntPtr)bytes, encoded.Length);
                using var codec = SKCodec.Create(data) ?? throw NoImage(encoded);
                if (codec.EncodedFormat == SKEncodedImageFormat.Jpeg && !JpegEnd.IsThere(encoded))
                {
                    throw new ImageRejectedException(SkipReason.Damaged, CutShort);
                }

                // The codec knows the orientation of JPEG and WebP; of PNG it does not look for it.
                var image = Decode(codec, encoded.Length);
                return ImageOrientation.Apply(
                    image,
                    codec.EncodedFormat == SKEncodedImageFormat.Png ? PngOrientation.Find(encoded) : (int)codec.EncodedOrigin
                );
            }
        }
    }

    private static RgbImage Decode(SKCodec codec, long length)
    {
        var (width, height) = (codec.Info.Width, codec.Info.Height);
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

        // Without a colour space in the target nothing is converted. Unpremultiplied: dark colours keep their bits under transparency.
        var opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        var target = new SKImageInfo(
            width,
            height,
            SKColorType.Rgba8888,
            opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul,
            colorspace: null
        );
        unsafe
        {
            var pixels = (byte*)NativeMemory.Alloc((nuint)target.BytesSize64);
            try
            {
                var result = codec.GetPixels(target, (IntPtr)pixels);
                if (result != SKCodecResult.Success)
                {
                    throw NotDecoded(result);
                }

                return ToRgb(pixels, width, height, opaque);
            }
            finally
            {
                NativeMemory.Free(pixels);
            }
        }
    }

    private static unsafe RgbImage ToRgb(byte* rgba, int width, int height, bool opaque)
    {
        var rgb = GC.AllocateUninitializedArray<byte>(width * height * 3);
        fixed (byte* target = rgb)
        {
            if (opaque)
            {
                LeaveOutAlpha(rgba, target, (long)width * height);
            }
            else
            {
                PutOnWhite(rgba, target, (long)width * height);
            }
        }

        return new RgbImage(width, height, rgb);
    }

    private static unsafe void LeaveOutAlpha(byte* rgba, byte* rgb, long pixels)
    {
        // Four pixels at a time; what is written behind the fourth is written again with the next ones.
        var colours = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0xFF, 0xFF, 0xFF, 0xFF);
        var pixel = 0L;
        for (; pixel < pixels - 5; pixel += 4)
        {
            Vector128.Shuffle(Vector128.Load(rgba + (4 * pixel)), colours).Store(rgb + (3 * pixel));
        }

        for (; pixel < pixels; pixel++)
        {
            rgb[3 * pixel] = rgba[4 * pixel];
            rgb[(3 * pixel) + 1] = rgba[(4 * pixel) + 1];
            rgb[(3 * pixel) + 2] = rgba[(4 * pixel) + 2];
        }
    }

    private static unsafe void PutOnWhite(byte* rgba, byte* rgb, long pixels)
    {
        for (var pixel = 0L; pixel < pixels; pixel++, rgba += 4, rgb += 3)
        {
            var alpha = rgba[3];
            rgb[0] = OnWhite(rgba[0], alpha);
            rgb[1] = OnWhite(rgba[1], alpha);
            rgb[2] = OnWhite(rgba[2], alpha);
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
