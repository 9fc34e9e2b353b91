using System.Buffers.Binary;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Imaging;

namespace Distributed.Fuzzing.Targets;

/// <summary>Decoding of image files of one format, EXIF orientation and all, and making them square.</summary>
internal sealed class ImageTarget(string format) : FuzzTarget
{
    private const int Size = 32;

    private static readonly uint[] Crc =
    [
        .. Enumerable
            .Range(0, 256)
            .Select(index => Enumerable.Range(0, 8).Aggregate((uint)index, (value, _) => (value >> 1) ^ ((value & 1) * 0xEDB88320))),
    ];

    public override string Name => format;

    protected override IReadOnlyList<byte[]> Seeds { get; } = Read(format);

    protected override IReadOnlyList<byte[]> Words { get; } =
        format switch
        {
            "jpeg" =>
            [
                [0xFF, 0xD8],
                [0xFF, 0xD9],
                [0xFF, 0xC0],
                [0xFF, 0xC2],
                [0xFF, 0xC4],
                [0xFF, 0xDA],
                [0xFF, 0xDB],
                [0xFF, 0xDD, 0, 4, 0, 1],
                [0xFF, 0xE1],
                [0xFF, 0x00],
                [0xFF, 0xFF],
                "Exif\0\0"u8.ToArray(),
                "ICC_PROFILE"u8.ToArray(),
            ],
            "png" => AsBytes("IHDR", "PLTE", "tRNS", "IDAT", "IEND", "acTL", "fcTL", "fdAT", "iCCP", "gAMA", "eXIf", "zTXt"),
            "gif" =>
            [
                [0x21, 0xF9, 4],
                [0x2C],
                [0x3B],
                "GIF87a"u8.ToArray(),
                [0x21, 0xFF, 11],
                [0],
            ],
            "webp" => AsBytes("VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "EXIF", "ICCP", "RIFF"),
            _ =>
            [
                [40, 0, 0, 0],
                [108, 0, 0, 0],
                [124, 0, 0, 0],
                [1, 0, 0, 0],
                [2, 0, 0, 0],
                [3, 0, 0, 0],
                [0, 0],
                [0, 1],
                [0, 2],
            ],
        };

    // A file may stand for so many pixels: four bytes each, as many where the image is turned, three samples of a JPEG, for each of which the pool may give
    // twice as much, and three bytes in the end.
    public override long MostAllocated(int length) =>
        (1 << 20)
        + (25 * Math.Min(ImageDecoder.MaximalPixels, ImageDecoder.FreePixels + ((long)length * ImageDecoder.MaximalPixelsPerByte)));

    public override byte[] Create(FuzzRandom random)
    {
        var input = base.Create(random);
        // Otherwise hardly any damage would get past the check sums.
        if (format == "png" && !random.OneIn(4))
        {
            MendChecksums(input);
        }

        return input;
    }

    public override bool Parse(byte[] input)
    {
        try
        {
            var image = ImageDecoder.Decode(input);
            Promise(
                image.Width >= ImageDecoder.MinimalSide && image.Height >= ImageDecoder.MinimalSide,
                "the image is smaller than the smallest"
            );
            Promise((long)image.Width * image.Height <= ImageDecoder.MaximalPixels, "the image is larger than the largest");
            Promise(image.Pixels.Length == image.Width * image.Height * 3, "the image has other than three bytes a pixel");
            Promise(ImageFitting.Fit(image, Size, FitMode.Crop).Length == Size * Size * 3, "the square has another size");
            var square = ImageDecoder.Decode(input, new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Scaled));
            Promise(square.Pixels.Length == Size * Size * 3, "the square of what is decoded smaller has another size");
            Promise((square.Width, square.Height) == (image.Width, image.Height), "what is decoded smaller has another size in words");
            return true;
        }
        catch (ImageRejectedException rejected)
        {
            return Refuse(rejected.Message);
        }
    }

    private static List<byte[]> Read(string format)
    {
        using var json = JsonDocument.Parse(ReadSeed("images.json"));
        return
        [
            .. json
                .RootElement.GetProperty("decoding")
                .EnumerateArray()
                .Where(image => image.GetProperty("name").GetString()!.Split(' ')[0] == format)
                .Select(image => image.GetProperty("file").GetBytesFromBase64()),
        ];
    }

    private static void MendChecksums(byte[] png)
    {
        for (var at = 8; at + 12 <= png.Length; )
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(at));
            if (length > png.Length - at - 12)
            {
                return;
            }

            var crc = uint.MaxValue;
            foreach (var value in png.AsSpan(at + 4, (int)length + 4))
            {
                crc = (crc >> 8) ^ Crc[(byte)(crc ^ value)];
            }

            BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(at + 8 + (int)length), ~crc);
            at += 12 + (int)length;
        }
    }
}
