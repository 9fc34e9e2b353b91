using CsCheck;

namespace Distributed.Imaging.Tests;

public sealed class ResamplerTests
{
    public static TheoryData<int> Resamplings => [.. Enumerable.Range(0, GoldenFile.Values.Resampling.Count)];

    public static TheoryData<int> Fittings => [.. Enumerable.Range(0, GoldenFile.Values.Fitting.Count)];

    [Theory]
    [MemberData(nameof(Resamplings))]
    public void Resampling_equals_PIL_bit_for_bit(int index)
    {
        var golden = GoldenFile.Values.Resampling[index];
        var filter = golden.Filter == "bicubic" ? ResampleFilter.Bicubic : ResampleFilter.Bilinear;

        var image = Resampler.Resize(GoldenFile.Pattern(golden.From[0], golden.From[1]), golden.To[0], golden.To[1], filter);

        Assert.Equal((golden.To[0], golden.To[1]), (image.Width, image.Height));
        GoldenFile.AssertSame(golden.Sha256, golden.Head, image.Pixels);
    }

    [Theory]
    [MemberData(nameof(Fittings))]
    public void Fitting_equals_torchvision_bit_for_bit(int index)
    {
        var golden = GoldenFile.Values.Fitting[index];
        var mode = golden.Mode == "crop" ? FitMode.Crop : FitMode.Stretch;

        var pixels = ImageFitting.Fit(GoldenFile.Pattern(golden.From[0], golden.From[1]), golden.Size, mode);

        GoldenFile.AssertSame(golden.Sha256, golden.Head, pixels);
    }

    [Theory]
    [InlineData(FitMode.Crop)]
    [InlineData(FitMode.Pad)]
    [InlineData(FitMode.Stretch)]
    public void An_image_of_the_right_size_is_left_alone(FitMode mode)
    {
        var image = GoldenFile.Pattern(64, 64);

        Assert.Equal(image.Pixels, ImageFitting.Fit(image, 64, mode));
    }

    [Fact]
    public void Padding_centres_the_whole_image_on_the_mean_colour()
    {
        var image = new RgbImage(40, 20, [.. Enumerable.Repeat((byte)200, 40 * 20 * 3)]);

        var pixels = ImageFitting.Fit(image, 20, FitMode.Pad);

        for (var y = 0; y < 20; y++)
        {
            var expected = y is >= 5 and < 15 ? [200, 200, 200] : ImageFitting.Padding.ToArray();
            Assert.Equal(expected, pixels.AsSpan(y * 20 * 3, 3).ToArray());
            Assert.Equal(expected, pixels.AsSpan(((y * 20) + 19) * 3, 3).ToArray());
        }
    }

    [Fact]
    public void A_very_long_image_costs_no_more_than_its_middle()
    {
        var image = GoldenFile.Pattern(60_000, 8);

        Assert.Equal(224 * 224 * 3, ImageFitting.Fit(image, 224, FitMode.Crop).Length);
        Assert.Equal(224 * 224 * 3, ImageFitting.Fit(image, 224, FitMode.Pad).Length);
    }

    [Fact]
    public void A_window_is_a_part_of_the_whole() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 60], Gen.Int[1, 60], Gen.Int[1, 60], Gen.Bool)
            .SelectMany(
                (width, height, newWidth, newHeight, cubic) =>
                    Gen.Select(
                        Gen.Int[0, newWidth - 1],
                        Gen.Int[0, newHeight - 1],
                        (left, top) => (width, height, newWidth, newHeight, cubic, left, top)
                    )
            )
            .Sample(
                sample =>
                {
                    var filter = sample.cubic ? ResampleFilter.Bicubic : ResampleFilter.Bilinear;
                    var image = GoldenFile.Pattern(sample.width, sample.height);
                    var (windowWidth, windowHeight) = (sample.newWidth - sample.left, sample.newHeight - sample.top);
                    var whole = Resampler.Resize(image, sample.newWidth, sample.newHeight, filter);
                    var window = Resampler.Resize(
                        image,
                        sample.newWidth,
                        sample.newHeight,
                        filter,
                        sample.left,
                        sample.top,
                        windowWidth,
                        windowHeight
                    );
                    for (var y = 0; y < windowHeight; y++)
                    {
                        Assert.Equal(
                            whole.Pixels.AsSpan((((sample.top + y) * sample.newWidth) + sample.left) * 3, windowWidth * 3),
                            window.Pixels.AsSpan(y * windowWidth * 3, windowWidth * 3)
                        );
                    }
                },
                iter: 300
            );

    [Fact]
    public void The_passes_of_any_processor_and_those_of_AVX2_give_the_same_bits()
    {
        Assert.SkipUnless(VectorResampling.IsSupported, "This processor has no AVX2.");
        Gen.Select(Gen.Int[1, 90], Gen.Int[1, 90], Gen.Int[1, 60], Gen.Int[1, 60])
            .Sample(
                (width, height, newWidth, newHeight) =>
                {
                    using var image = RgbaImage.From(GoldenFile.Pattern(width, height));
                    var columns = ResampleWeights.Compute(width, newWidth, 0, newWidth, ResampleFilter.Bicubic);
                    var rows = ResampleWeights.Compute(height, newHeight, 0, newHeight, ResampleFilter.Bicubic);
                    using var portable = new RgbRows(newWidth, height);
                    using var vectors = new RgbRows(newWidth, height);
                    PortableResampling.ResampleRows(image, columns, 0, portable);
                    VectorResampling.ResampleRows(image, columns, 0, vectors);
                    for (var y = 0; y < height; y++)
                    {
                        Assert.Equal(portable.Row(y)[..(newWidth * 3)], vectors.Row(y)[..(newWidth * 3)]);
                    }

                    var (ofPortable, ofVectors) = (new byte[newWidth * newHeight * 3], new byte[newWidth * newHeight * 3]);
                    PortableResampling.ResampleColumns(portable, rows, 0, ofPortable);
                    VectorResampling.ResampleColumns(vectors, rows, 0, ofVectors);
                    Assert.Equal(ofPortable, ofVectors);
                },
                iter: 300
            );
    }

    [Fact]
    public void A_flat_image_stays_flat() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 40], Gen.Byte)
            .Sample(
                (from, to, value) =>
                {
                    var image = new RgbImage(from, from, [.. Enumerable.Repeat(value, from * from * 3)]);
                    Assert.All(Resampler.Resize(image, to, to, ResampleFilter.Bicubic).Pixels, pixel => Assert.Equal(value, pixel));
                },
                iter: 40
            );

    [Theory]
    [InlineData(500, 375, 224, 0.875, 256)]
    [InlineData(300, 300, 224, 0.95, 235)]
    [InlineData(224, 224, 224, 0.875, 256)]
    public void A_share_of_the_shorter_side_stays_as_timm_cuts_it(int width, int height, int size, double share, int shorter)
    {
        var image = GoldenFile.Pattern(width, height);
        var (newWidth, newHeight) = width > height ? (width * shorter / height, shorter) : (shorter, height * shorter / width);
        var (left, top) = (
            (int)Math.Round((newWidth - size) / 2.0, MidpointRounding.ToEven),
            (int)Math.Round((newHeight - size) / 2.0, MidpointRounding.ToEven)
        );

        var found = ImageFitting.Fit(image, new ImagePreparation(size, FitMode.Crop, JpegDecoding.Full) { CropShare = share });

        Assert.Equal(Resampler.Resize(image, newWidth, newHeight, ResampleFilter.Bicubic, left, top, size, size).Pixels, found);
    }
}
