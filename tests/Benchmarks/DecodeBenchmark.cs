using Distributed.Imaging;
using SkiaSharp;

namespace Distributed.Benchmarks;

/// <summary>JPEG files to squares of 96 px, as ingestion makes them, against PIL where it is installed.</summary>
internal sealed class DecodeBenchmark : IBenchmark
{
    private const int Rounds = 7;
    private const int Files = 64,
        Width = 500,
        Height = 375,
        Size = 96;

    public string Name => "decode";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Decode(string folder)
    {
        var files = Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes).ToList();
        void Run() => Parallel.ForEach(files, file => ImageFitting.Fit(ImageDecoder.Decode(file), Size, FitMode.Crop));
        Run();
        return ($"{files.Count} files", () => Contestants.ImagesPerSecond(TimeSpan.FromSeconds(1.5), files.Count, Run));
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("distributed-decode-");
        try
        {
            WritePhotos(folder.FullName);
            using var ours = await Contestant.StartAsync(["decode", folder.FullName], cancellationToken);
            using var pil = await Contestant.StartAsync(Python.Path, ["-c", Python.Pil, folder.FullName, $"{Size}"], cancellationToken);
            var measured = await Contestant.CompeteAsync([.. new[] { ours, pil }.OfType<Contestant>()], Rounds, cancellationToken);
            return [Figure.Of(Name, "images/s", measured[0], measured.Length > 1 ? measured[1] : null)];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Pictures as detailed as photos: waves of all lengths, so that files are neither empty nor noise.</summary>
    private static void WritePhotos(string folder)
    {
        for (var file = 0; file < Files; file++)
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
                            * Math.Sin((frequency * x * (1 + (file % 7))) + (octave * channel))
                            * Math.Cos((frequency * y) + file);
                    }

                    pixels[(i * 4) + channel] = (byte)Math.Clamp(value, 0, 255);
                }

                pixels[(i * 4) + 3] = 255;
            }

            using var target = File.Create(Path.Combine(folder, $"{file:D3}.jpg"));
            bitmap.Encode(target, SKEncodedImageFormat.Jpeg, 90);
        }
    }
}
