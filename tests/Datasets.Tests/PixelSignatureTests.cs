using CsCheck;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

public sealed class PixelSignatureTests
{
    [Fact]
    public void A_picture_is_like_itself_brighter_mirrored_or_of_another_size_and_unlike_another()
    {
        var picture = Draw(96, seed: 1);

        var signature = PixelSignature.Of(picture, 96);

        Assert.Equal(1, signature.Correlate(signature), 1e-5f);
        Assert.Equal(1, signature.Correlate(PixelSignature.Of(Mirror(picture, 96), 96)), 1e-5f);
        Assert.InRange(
            signature.Correlate(PixelSignature.Of([.. picture.Select(value => (byte)Math.Min(value + 40, 255))], 96)),
            0.97f,
            1.0001f
        );
        Assert.InRange(signature.Correlate(PixelSignature.Of(Shrink(picture, 96), 48)), 0.97f, 1.0001f);
        Assert.InRange(signature.Correlate(PixelSignature.Of(Draw(96, seed: 2), 96)), -1, 0.8f);
    }

    [Fact]
    public void A_picture_of_one_colour_is_like_none() =>
        Assert.Equal(0, PixelSignature.Of(new byte[32 * 32 * 3], 32).Correlate(PixelSignature.Of(Draw(32, seed: 1), 32)));

    [Fact]
    public void Any_pictures_of_any_sizes_can_be_compared() =>
        Gen.Select(Gen.Int[1, 80], Gen.Int[1, 80], Gen.Int)
            .Sample(
                (left, right, seed) =>
                {
                    var correlation = PixelSignature.Of(Draw(left, seed), left).Correlate(PixelSignature.Of(Draw(right, seed + 1), right));

                    Assert.InRange(correlation, -1.0001f, 1.0001f);
                },
                iter: 200
            );

    /// <summary>Soft blobs, as photos have them.</summary>
    private static byte[] Draw(int size, int seed)
    {
        var random = new Random(seed);
        var blobs = Enumerable
            .Range(0, 6)
            .Select(_ => (X: random.NextDouble(), Y: random.NextDouble(), Value: random.Next(40, 200)))
            .ToList();
        var pixels = new byte[size * size * 3];
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                var (u, v) = ((x + 0.5) / size, (y + 0.5) / size);
                var value = blobs.Max(blob => blob.Value * Math.Exp(-20 * (((u - blob.X) * (u - blob.X)) + ((v - blob.Y) * (v - blob.Y)))));
                pixels.AsSpan(((y * size) + x) * 3, 3).Fill((byte)value);
            }
        }

        return pixels;
    }

    private static byte[] Mirror(byte[] pixels, int size)
    {
        var mirrored = new byte[pixels.Length];
        for (var pixel = 0; pixel < size * size; pixel++)
        {
            var (y, x) = (pixel / size, pixel % size);
            pixels.AsSpan(pixel * 3, 3).CopyTo(mirrored.AsSpan(((y * size) + size - 1 - x) * 3));
        }

        return mirrored;
    }

    private static byte[] Shrink(byte[] pixels, int size)
    {
        var small = Resampler.Resize(new RgbImage(size, size, pixels), size / 2, size / 2, ResampleFilter.Bicubic);
        return small.Pixels;
    }
}
