using System.Diagnostics;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Benchmarks;

/// <summary>
/// A folder of JPEG files to a file of squares, as ingestion makes it: listed, read, hashed, decoded, resampled, packed, and named in a manifest; against PIL
/// in as many processes as there are cores, each of which reads, hashes, decodes, resamples and packs a part of the files.
/// </summary>
/// <param name="name">Name of the row.</param>
/// <param name="files">Number of files.</param>
/// <param name="pictures">Different pictures among them; files of the same one differ in a comment.</param>
/// <param name="width">Width of the files in pixels.</param>
/// <param name="height">Height of the files in pixels.</param>
/// <param name="size">Side of the squares in pixels.</param>
internal sealed class IngestionBenchmark(string name, int files, int pictures, int width, int height, int size) : IBenchmark
{
    private const int Rounds = 5;

    public string Name => name;

    /// <summary>Our side.</summary>
    public static (string Name, Func<double> Measure) Ingest(string folder, int size)
    {
        var pack = Path.Combine(Path.GetDirectoryName(folder)!, "pack");
        double Measure()
        {
            var started = Stopwatch.GetTimestamp();
            var images = IngestAsync(folder, size, pack).GetAwaiter().GetResult();
            return images / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        Measure();
        return ($"{Environment.ProcessorCount} cores", Measure);
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        var source = Path.Combine(folder.Path, "photos");
        await WriteAsync(source, cancellationToken);
        using var ours = await Contestant.StartAsync(["ingest", source, $"{size}"], cancellationToken);
        using var pil = await Contestant.StartAsync(
            Python.Path,
            ["-c", Python.PilIngestion, source, $"{size}", Path.Combine(folder.Path, "parts")],
            cancellationToken
        );
        var measured = await Contestant.CompeteAsync([.. new[] { ours, pil }.OfType<Contestant>()], Rounds, cancellationToken);
        return [Figure.Of(Name, "images/s", measured[0], measured.Length > 1 ? measured[1] : null)];
    }

    private static async Task<int> IngestAsync(string folder, int size, string pack)
    {
        var fileIndex = await DatasetSource.ListAsync(folder);
        await using var target = File.Create(pack);
        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(size, FitMode.Crop, JpegDecoding.Scaled),
            target
        );
        return DatasetManifest.Create(fileIndex, records).Images.Count;
    }

    private async Task WriteAsync(string source, CancellationToken cancellationToken)
    {
        for (var picture = 0; picture < pictures; picture++)
        {
            var jpeg = Photo.Draw(picture, width, height);
            for (var file = picture; file < files; file += pictures)
            {
                var folder = Directory.CreateDirectory(Path.Combine(source, $"class{file % 2}"));
                // Start of image, a comment of four bytes, and the rest.
                byte[] named = [0xFF, 0xD8, 0xFF, 0xFE, 0, 6, .. BitConverter.GetBytes(file), .. jpeg.AsSpan(2)];
                await File.WriteAllBytesAsync(Path.Combine(folder.FullName, $"{file:D5}.jpg"), named, cancellationToken);
            }
        }
    }
}
