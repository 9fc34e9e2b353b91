using System.Buffers.Binary;
using CsCheck;

namespace Distributed.Datasets.Tests;

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
        Assert.Contains("not an image", Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode("<html>404</html>"u8)).Message, StringComparison.Ordinal);
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
        var png = PngEncoder.Encode(new byte[16 * 16 * 3], 16, 16);
        byte[] header = [.. png.AsSpan(12, 4), 0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60, .. png.AsSpan(24, 5)];
        header.CopyTo(png, 12);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc32(header));

        Assert.Contains("60000×60000", Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode(png)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(7000, 7000, "pixels a byte")]
    [InlineData(8, 70_000, "65535 a side")]
    public void A_short_file_that_claims_many_pixels_is_rejected_before_memory_is_taken(int width, int height, string reason)
    {
        var png = PngEncoder.Encode(new byte[16 * 16 * 3], 16, 16);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), height);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc32(png[12..29]));

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
                iter: 3000);

    private static uint Crc32(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
            }
        }

        return ~crc;
    }

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
