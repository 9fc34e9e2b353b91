using System.IO.Compression;
using System.Text;

namespace Distributed.Imaging.Tests;

public sealed class PngOrientationTests
{
    private const int Width = 12;
    private const int Height = 9;

    private static readonly byte[] Pixels = [.. Enumerable.Range(0, Width * Height * 3).Select(index => (byte)(index * 7))];
    private static readonly byte[] Png = PngEncoder.Encode(Pixels, Width, Height);

    public static TheoryData<int, bool, bool> Orientations
    {
        get
        {
            var data = new TheoryData<int, bool, bool>();
            for (var orientation = 1; orientation <= 8; orientation++)
            {
                data.Add(orientation, true, false);
                data.Add(orientation, false, true);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Orientations))]
    public void The_orientation_of_a_PNG_is_carried_out(int orientation, bool isLittleEndian, bool behindPixels) =>
        AssertTurned(orientation, PngFile.With(Png, "eXIf", Exif(orientation, isLittleEndian), behindPixels));

    [Fact]
    public void A_PNG_is_turned_as_a_JPEG_is()
    {
        // Of the golden JPEG files, whose pixels are PIL's, the one with orientation 6.
        var turned = GoldenFile.Values.Decoding.Single(golden => golden.Name == "jpeg turned 6");
        var stored = Turned(new RgbImage(turned.Width, turned.Height, turned.Pixels), 8);

        var image = ImageDecoder.Decode(
            PngFile.With(PngEncoder.Encode(stored.Pixels, stored.Width, stored.Height), "eXIf", Exif(6, isLittleEndian: true))
        );

        Assert.Equal(turned.Pixels, image.Pixels);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_raw_profile_is_read_where_there_is_no_chunk(bool isCompressed)
    {
        var png = PngFile.With(Png, isCompressed ? "zTXt" : "tEXt", RawProfile(6, isCompressed));

        AssertTurned(6, png);
        AssertTurned(3, PngFile.With(png, "eXIf", Exif(3, isLittleEndian: false), behindPixels: true));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(300)]
    public void A_value_that_means_nothing_turns_nothing(int orientation) =>
        AssertTurned(1, PngFile.With(Png, "eXIf", Exif(orientation, isLittleEndian: true)));

    [Fact]
    public void Damaged_metadata_turns_nothing_and_harms_no_pixel()
    {
        var exif = Exif(6, isLittleEndian: true);
        var whole = PngFile.With(Png, "eXIf", exif);
        // A bit of the orientation, whose check sum is that of before.
        whole[33 + 8 + 30] ^= 4;
        AssertTurned(1, whole);
        for (var length = 0; length < exif.Length - 4; length++)
        {
            AssertTurned(1, PngFile.With(Png, "eXIf", exif[..length]));
        }

        AssertTurned(1, PngFile.With(Png, "eXIf", [.. "II*\0"u8, 0xFF, 0xFF, 0xFF, 0xFF]));
        AssertTurned(1, PngFile.With(Png, "zTXt", [.. "Raw profile type exif\0\0"u8, 0x78, 0x9C, 1, 2, 3]));
        AssertTurned(1, PngFile.With(Png, "zTXt", [.. "Raw profile type exif\0"u8]));
    }

    private static RgbImage Turned(RgbImage image, int orientation)
    {
        using var turned = ImageOrientation.Apply(RgbaImage.From(image), orientation);
        return new RgbImage(turned.Width, turned.Height, turned.ToRgb());
    }

    private static void AssertTurned(int orientation, byte[] png)
    {
        var expected = Turned(new RgbImage(Width, Height, Pixels), orientation);
        var image = ImageDecoder.Decode(png);
        Assert.Equal((expected.Width, expected.Height), (image.Width, image.Height));
        Assert.Equal(expected.Pixels, image.Pixels);
    }

    /// <summary>A TIFF header, and a directory of two entries: one that is passed over, and the orientation.</summary>
    private static byte[] Exif(int orientation, bool isLittleEndian)
    {
        return isLittleEndian
            ?
            [
                .. "II*\0"u8,
                8,
                0,
                0,
                0,
                2,
                0,
                0x0E,
                1,
                2,
                0,
                1,
                0,
                0,
                0,
                0x41,
                0,
                0,
                0,
                0x12,
                1,
                3,
                0,
                1,
                0,
                0,
                0,
                (byte)orientation,
                (byte)(orientation >> 8),
                0,
                0,
                0,
                0,
                0,
                0,
            ]
            :
            [
                .. "MM\0*"u8,
                0,
                0,
                0,
                8,
                0,
                2,
                1,
                0x0E,
                0,
                2,
                0,
                0,
                0,
                1,
                0x41,
                0,
                0,
                0,
                1,
                0x12,
                0,
                3,
                0,
                0,
                0,
                1,
                (byte)(orientation >> 8),
                (byte)orientation,
                0,
                0,
                0,
                0,
                0,
                0,
            ];
    }

    private static byte[] RawProfile(int orientation, bool isCompressed)
    {
        byte[] exif = [.. "Exif\0\0"u8, .. Exif(orientation, isLittleEndian: false)];
        var text = Encoding.ASCII.GetBytes(
            $"\nexif\n{exif.Length, 8}\n{Convert.ToHexStringLower(exif[..30])}\n{Convert.ToHexStringLower(exif[30..])}\n"
        );
        if (!isCompressed)
        {
            return [.. "Raw profile type exif\0"u8, .. text];
        }

        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zlib.Write(text);
        }

        return [.. "Raw profile type exif\0\0"u8, .. compressed.ToArray()];
    }
}
