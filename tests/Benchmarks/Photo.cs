using SkiaSharp;

namespace Distributed.Benchmarks;

/// <summary>
/// JPEG files as cameras and web pages have them. Where <c>DISTRIBUTED_TEST_DATA</c> names a folder they are made of the photos in it; else they are drawn:
/// waves of all lengths, so that files are neither empty nor noise.
/// </summary>
internal static class Photo
{
    private const int Octaves = 6,
        Channels = 3,
        Quality = 90;

    private static readonly string[] Photos =
        Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_DATA") is { Length: > 0 } folder && Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>A JPEG file.</summary>
    public static byte[] Draw(int seed, int width = 500, int height = 375)
    {
        using var bitmap = Photos.Length > 0 ? Enlarge(Photos[seed * 7919 % Photos.Length], width, height) : Paint(seed, width, height);
        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, Quality);
        return data.ToArray();
    }

    private static SKBitmap Enlarge(string path, int width, int height)
    {
        using var photo = SKBitmap.Decode(path);
        return photo.Resize(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque), SKSamplingOptions.Default);
    }

    private static SKBitmap Paint(int seed, int width, int height)
    {
        // Each wave is one of its column times one of its row.
        var ofColumns = Waves(
            width,
            (octave, channel, x) => Math.Sin((Frequency(octave) * x * (1 + (seed % 7))) + (octave * channel)) * 50 / octave
        );
        var ofRows = Waves(height, (octave, _, y) => Math.Cos((Frequency(octave) * y) + seed));
        var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        var pixels = bitmap.GetPixelSpan();
        for (var i = 0; i < width * height; i++)
        {
            var (columns, rows) = (i % width * Octaves * Channels, i / width * Octaves * Channels);
            for (var channel = 0; channel < Channels; channel++)
            {
                double value = 128;
                for (var octave = 0; octave < Octaves; octave++)
                {
                    value += ofColumns[columns + (channel * Octaves) + octave] * ofRows[rows + (channel * Octaves) + octave];
                }

                pixels[(i * 4) + channel] = (byte)Math.Clamp(value, 0, 255);
            }

            pixels[(i * 4) + 3] = 255;
        }

        return bitmap;
    }

    private static double Frequency(int octave) => Math.Pow(2, octave) * 0.01;

    private static double[] Waves(int count, Func<int, int, int, double> wave) =>
        [
            .. from position in Enumerable.Range(0, count)
            from channel in Enumerable.Range(0, Channels)
            from octave in Enumerable.Range(1, Octaves)
            select wave(octave, channel, position),
        ];
}
