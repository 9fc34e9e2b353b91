using CsCheck;

namespace Distributed.Imaging.Tests;

public sealed class ImageDecoderTests
{
    public static TheoryData<string> Names => [.. GoldenFile.Values.Decoding.Select(golden => golden.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_gives_the_pixels_of_PIL(string name)
    {
        var golden = GoldenFile.Decoded(name);

        var image = ImageDecoder.Decode(golden.File);

        Assert.Equal((golden.Width, golden.Height), (image.Width, image.Height));
        Assert.Equal(golden.Pixels.Length, image.Pixels.Length);
        var difference = golden.Pixels.Zip(image.Pixels, (expected, actual) => Math.Abs(expected - actual)).Max();
        Assert.True(difference <= golden.Tolerance, $"The largest difference is {difference}, and {golden.Tolerance} is allowed.");
    }

    [Theory]
    [InlineData("jpeg")]
    [InlineData("jpeg progressive")]
    [InlineData("png")]
    [InlineData("gif")]
    [InlineData("webp lossy")]
    [InlineData("bmp")]
    public void A_file_that_is_cut_short_is_rejected_wherever_it_is_cut(string name)
    {
        var file = GoldenFile.Decoded(name).File;

        for (var length = 0; length < file.Length * 9 / 10; length += 7)
        {
            var cut = file[..length];
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(cut));
        }
    }

    [Fact]
    public void What_is_no_image_is_rejected_with_the_reason()
    {
        Assert.Equal("the file is empty", Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode([])).Message);
        Assert.Contains(
            "not an image",
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode([0xBB, 1, 2, 3])).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(
        "000000186674797068656963000000006D69663168656963",
        SkipReason.UnsupportedFormat,
        "it is a HEIC image, which is not read; convert it to JPEG or PNG, for example with ImageMagick: magick mogrify -format jpg *.heic"
    )]
    [InlineData(
        "000000186674797061766966000000006D69663161766966",
        SkipReason.UnsupportedFormat,
        "an AVIF image, which is not read; convert it to JPEG or PNG"
    )]
    [InlineData("49492A0008000000", SkipReason.UnsupportedFormat, "a TIFF image, which is not read; convert it to JPEG or PNG")]
    [InlineData("38425053000100000000", SkipReason.UnsupportedFormat, "Photoshop")]
    [InlineData("0000000C4A584C200D0A870A", SkipReason.UnsupportedFormat, "JPEG XL")]
    [InlineData("0000000C6A5020200D0A870A", SkipReason.UnsupportedFormat, "JPEG 2000")]
    [InlineData("3C73766720786D6C6E733D22", SkipReason.UnsupportedFormat, "SVG drawing, which is not read; convert it to JPEG or PNG")]
    [InlineData("255044462D312E37", SkipReason.UnsupportedFormat, "PDF document, which is not read; save its pages as JPEG or PNG")]
    [InlineData(
        "0000001C6674797069736F6D0000020069736F6D69736F326D703431",
        SkipReason.UnsupportedFormat,
        "MP4 video, which is not read; save single frames"
    )]
    [InlineData("504B03040A0000000000", SkipReason.NotAnImage, "it is a zip archive; unpack it")]
    [InlineData("3C68746D6C3E3430343C2F68746D6C3E", SkipReason.NotAnImage, "it is an HTML page: a server gives such a page")]
    [InlineData(
        "76657273696F6E2068747470733A2F2F6769742D6C66732E6769746875622E636F6D2F737065632F7631",
        SkipReason.NotAnImage,
        "git lfs pull"
    )]
    [InlineData("6C6162656C2C66696C650A", SkipReason.NotAnImage, "it is a text file and not an image; remove it")]
    [InlineData("FFD8FFE000", SkipReason.Damaged, "it begins as a JPEG image and is damaged")]
    public void A_file_of_another_format_is_named_with_what_to_do(string head, SkipReason reason, string detail)
    {
        var rejected = Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(Convert.FromHexString(head)));

        Assert.Equal(reason, rejected.Reason);
        Assert.Contains(detail, rejected.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_says_of_which_kind_it_is()
    {
        Assert.Equal(SkipReason.Damaged, Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode([])).Reason);
        Assert.Equal(
            SkipReason.Damaged,
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(GoldenFile.Decoded("jpeg").File.AsSpan(0, 900))).Reason
        );
        Assert.Equal(
            SkipReason.NotAnImage,
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(PngEncoder.Encode(new byte[7 * 20 * 3], 7, 20))).Reason
        );
        Assert.Equal(
            SkipReason.TooLarge,
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(PngFile.Claiming(7000, 7000))).Reason
        );
    }

    [Fact]
    public void A_tiny_image_is_rejected_with_its_size()
    {
        var tiny = PngEncoder.Encode(new byte[7 * 20 * 3], 7, 20);

        Assert.Contains("7×20", Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(tiny)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_huge_image_is_rejected_before_memory_is_taken()
    {
        // The header of a PNG says how large it is; 60,000 × 60,000 pixels would be 14 GB.
        var png = PngFile.Claiming(60_000, 60_000);

        Assert.Contains(
            "60000×60000",
            Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(png)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(7000, 7000, "pixels a byte")]
    [InlineData(8, 70_000, "65535 a side")]
    public void A_short_file_that_claims_many_pixels_is_rejected_before_memory_is_taken(int width, int height, string reason)
    {
        var png = PngFile.Claiming(width, height);

        Assert.Contains(reason, Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(png)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_written_PNG_reads_back_the_same()
    {
        var image = GoldenFile.Pattern(31, 17);

        var back = ImageDecoder.Decode(PngEncoder.Encode(image.Pixels, 31, 17));

        Assert.Equal((31, 17), (back.Width, back.Height));
        Assert.Equal(image.Pixels, back.Pixels);
    }

    [Fact]
    public void Random_bytes_are_rejected_and_nothing_else() =>
        Gen.Byte.Array[0, 300].Sample(bytes => AssertDecodesOrRejects(bytes), iter: 2000);

    [Fact]
    public void Damaged_files_decode_or_are_rejected_and_nothing_else() =>
        Gen.Select(Gen.Int[0, GoldenFile.Values.Decoding.Count - 1], Gen.Select(Gen.Int[0, 100_000], Gen.Byte).Array[1, 8])
            .Sample(
                (index, changes) =>
                {
                    var bytes = (byte[])GoldenFile.Values.Decoding[index].File.Clone();
                    foreach (var (position, value) in changes)
                    {
                        bytes[position % bytes.Length] = value;
                    }

                    AssertDecodesOrRejects(bytes);
                },
                iter: 3000
            );

    private static void AssertDecodesOrRejects(byte[] bytes)
    {
        try
        {
            var image = ImageDecoder.Decode(bytes);
            Assert.Equal(image.Width * image.Height * 3, image.Pixels.Length);
        }
        catch (ImageRejectedException rejected)
        {
            Assert.NotEmpty(rejected.Message);
        }
    }
}
