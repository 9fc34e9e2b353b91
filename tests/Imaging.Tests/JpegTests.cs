using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using CsCheck;
using Distributed.Imaging.Jpeg;

namespace Distributed.Imaging.Tests;

/// <summary>JPEG files of many kinds, in full and smaller: what PIL makes of them, by Golden/jpegs.py.</summary>
public sealed class JpegTests
{
    private static readonly List<GoldenJpeg> Golden = JsonSerializer.Deserialize<List<GoldenJpeg>>(
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", "jpegs.json")),
        JsonSerializerOptions.Web
    )!;

    /// <summary>What our own decoder does not begin; what is cut short it gives up, and the codec fills it as PIL does.</summary>
    private static readonly string[] Foreign = ["progressive", "cmyk", "arithmetic codes"];

    public static TheoryData<string> Names => [.. Golden.Select(golden => golden.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_file_is_decoded_to_the_pixels_of_PIL(string name)
    {
        var golden = Find(name);

        Assert.Equal(golden.Pixels["1"], Hash(ImageDecoder.Decode(golden.File).Pixels));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void At_any_scale_the_pixels_are_those_of_a_draft_of_PIL(string name)
    {
        Assert.SkipUnless(JpegDecoder.IsSupported, "This processor has no AVX2.");
        var golden = Find(name);
        if (JpegHeader.Read(golden.File) is not { } header)
        {
            Assert.Contains(name, Foreign);
            return;
        }

        Assert.DoesNotContain(name, Foreign);
        foreach (var (scale, expected) in golden.Pixels)
        {
            var stored = JpegDecoder.Decode(header, golden.File, int.Parse(scale, CultureInfo.InvariantCulture));
            if (name == "cut short")
            {
                Assert.Null(stored);
                continue;
            }

            using var image = ImageOrientation.Apply(stored!, header.Orientation);
            Assert.Equal(expected, Hash(image.ToRgb()));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Squares_are_those_of_a_draft_of_PIL_that_is_twice_their_size_or_more(string name)
    {
        var golden = Find(name);
        foreach (var (form, expected) in golden.Squares)
        {
            var (fit, size) = (form.Split(' ')[0], form.Split(' ')[1]);
            var preparation = new ImagePreparation(
                int.Parse(size, CultureInfo.InvariantCulture),
                ChoiceName.Parse<FitMode>(fit),
                JpegDecoding.Scaled
            );
            Assert.Equal(expected, Hash(ImageDecoder.Decode(golden.File, preparation).Pixels));
        }
    }

    [Fact]
    public void A_file_that_is_decoded_smaller_keeps_its_own_size_in_words()
    {
        var image = ImageDecoder.Decode(Find("turned").File, new ImagePreparation(8, FitMode.Crop, JpegDecoding.Scaled));

        Assert.Equal((109, 157), (image.Width, image.Height));
    }

    [Theory]
    [InlineData(FitMode.Crop, 4000, 3000, 224, 4)]
    [InlineData(FitMode.Crop, 3000, 4000, 224, 4)]
    [InlineData(FitMode.Pad, 4000, 3000, 224, 8)]
    [InlineData(FitMode.Stretch, 4000, 3000, 224, 4)]
    [InlineData(FitMode.Stretch, 4000, 400, 96, 2)]
    [InlineData(FitMode.Crop, 384, 384, 96, 2)]
    [InlineData(FitMode.Crop, 383, 384, 96, 1)]
    [InlineData(FitMode.Crop, 60_000, 8, 224, 1)]
    public void A_file_is_decoded_as_small_as_is_twice_what_it_is_resampled_to(FitMode fit, int width, int height, int size, int scale)
    {
        Assert.Equal(scale, ImageFitting.ScaleOf(width, height, new ImagePreparation(size, fit, JpegDecoding.Scaled)));
        Assert.Equal(1, ImageFitting.ScaleOf(width, height, new ImagePreparation(size, fit, JpegDecoding.Full)));
    }

    [Fact]
    public void A_file_that_is_not_much_larger_is_decoded_in_full()
    {
        var file = Find("4:2:0 157x109").File;

        Assert.Equal(
            ImageDecoder.Decode(file, new ImagePreparation(40, FitMode.Crop, JpegDecoding.Full)).Pixels,
            ImageDecoder.Decode(file, new ImagePreparation(40, FitMode.Crop, JpegDecoding.Scaled)).Pixels
        );
        Assert.NotEqual(
            ImageDecoder.Decode(file, new ImagePreparation(20, FitMode.Crop, JpegDecoding.Full)).Pixels,
            ImageDecoder.Decode(file, new ImagePreparation(20, FitMode.Crop, JpegDecoding.Scaled)).Pixels
        );
    }

    [Fact]
    public void Damaged_files_decode_or_are_rejected_and_nothing_else() =>
        Gen.Select(Gen.Int[0, Golden.Count - 1], Gen.Int[2, 30], Gen.Select(Gen.Int[0, 100_000], Gen.Byte).Array[1, 8])
            .Sample(
                (index, size, changes) =>
                {
                    var file = (byte[])Golden[index].File.Clone();
                    foreach (var (position, value) in changes)
                    {
                        file[position % file.Length] = value;
                    }

                    try
                    {
                        var image = ImageDecoder.Decode(file, new ImagePreparation(size, FitMode.Crop, JpegDecoding.Scaled));
                        Assert.Equal(size * size * 3, image.Pixels.Length);
                    }
                    catch (ImageRejectedException rejected)
                    {
                        Assert.NotEmpty(rejected.Message);
                    }
                },
                iter: 3000
            );

    private static GoldenJpeg Find(string name) => Golden.Single(golden => golden.Name == name);

    private static string Hash(byte[] pixels) => Convert.ToHexStringLower(SHA256.HashData(pixels));

    private sealed record GoldenJpeg(
        string Name,
        byte[] File,
        IReadOnlyDictionary<string, string> Pixels,
        IReadOnlyDictionary<string, string> Squares
    );
}
