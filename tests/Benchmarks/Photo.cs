using SkiaSharp;

namespace Distributed.Benchmarks;

/// <summary>Pictures as detailed as photos: waves of all lengths, so that files are neither empty nor noise.</summary>
internal static class Photo
{
    private const int Width = 500,
        Height = 375,
        Quality = 90;

    /// <summary>A JPEG file of 500 × 375 pixels.</summary>
    public static byte[] Draw(int seed)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        var pixels = bitmap.GetPixelSpan();
        for (var i = 0; i < Width * Height; i++)
        {
            var (x, y) = (i % Width, i / Width);
            for (var channel = 0; channel < 3; channel++)
            {
                double value = 128;
                for (var octave = 1; octave <= 6; octave++)
                {
                    var frequency = Math.Pow(2, octave) * 0.01;
                    value +=
                        50.0
                        / octave
                        * Math.Sin((frequency * x * (1 + (seed % 7))) + (octave * channel))
                        * Math.Cos((frequency * y) + seed);
                }

                pixels[(i * 4) + channel] = (byte)Math.Clamp(value, 0, 255);
            }

            pixels[(i * 4) + 3] = 255;
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, Quality);
        return data.ToArray();
    }
}
