using Distributed.Imaging;

namespace Distributed.Benchmarks;

/// <summary>JPEG files to squares of 96 px, as ingestion makes them, against PIL where it is installed.</summary>
internal sealed class DecodeBenchmark : IBenchmark
{
    private const int Rounds = 7;
    private const int Files = 64,
        Size = 96;

    public string Name => "decode";

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Decode(string folder)
    {
        var files = Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes).ToList();
        var preparation = new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Scaled);
        void Run() => Parallel.ForEach(files, file => ImageDecoder.Decode(file, preparation));
        Run();
        return ($"{files.Count} files", () => Contestants.ImagesPerSecond(TimeSpan.FromSeconds(1.5), files.Count, Run));
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("distributed-decode-");
        try
        {
            for (var file = 0; file < Files; file++)
            {
                await File.WriteAllBytesAsync(Path.Combine(folder.FullName, $"{file:D3}.jpg"), Photo.Draw(file), cancellationToken);
            }

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
}
