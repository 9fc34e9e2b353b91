using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Datasets.Splits;
using Distributed.Imaging;
using Distributed.TestServers;
using Distributed.Vision.Engines;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;
using Distributed.Vision.Metrics;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Benchmarks;

/// <summary>
/// A whole run on new images, from submission to evaluation, against the sum of its bare computations in a process that has done
/// them before: packing, extraction, all heads, the last one's test, the labels' judgement and the search for near duplicates, without catalog, messages, files or report. The first
/// row is the published one-process host on a new volume, the second the built one, whose code is compiled as it starts, the third a
/// host that serves and has done another run. The data set has as many images as STL-10.
/// </summary>
internal sealed class FirstRunBenchmark : IBenchmark
{
    private const int TrainImages = 5000,
        TestImages = 8000,
        Size = 96,
        Rounds = 3;

    public string Name => "first-run";

    private string BuiltName => $"{Name}-built";

    private string ServedName => $"{Name}-served";

    /// <summary>The peer.</summary>
    public static (string Name, Func<double> Measure) Bare(string folder)
    {
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, Size, torch.CPU);
        var weights = BackboneSource.Load(BackboneSource.Demo);
        return (
            $"bare computations, {choice.Precision}",
            () =>
            {
                var started = Stopwatch.GetTimestamp();
                ComputeAsync(folder, weights, choice).GetAwaiter().GetResult();
                return Stopwatch.GetElapsedTime(started).TotalSeconds;
            }
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var source = new TemporaryFolder();
        await SampleDataset.WriteAsync(source.Path, seed: 0, TrainImages, TestImages, cancellationToken);
        using var bare = await Contestant.StartAsync(["bare-run", source.Path], cancellationToken);
        using var volume = new TemporaryFolder();
        using var publication = new Publication();
        using var published = await Contestant.StartAsync(
            ["first-run", await publication.ProgramAsync("Standalone"), source.Path],
            cancellationToken
        );
        using var built = await Contestant.StartAsync(
            ["first-run", TestEnvironment.ServiceDll("Standalone"), source.Path],
            cancellationToken
        );
        using var served = await Contestant.StartAsync(["served-first-run", source.Path, volume.Path], cancellationToken);
        var measured = await Contestant.CompeteAsync([published, built, served, bare], Rounds, cancellationToken);
        return
        [
            Figure.Of(Name, "s", measured[0], measured[3], lessIsBetter: true),
            Figure.Of(BuiltName, "s", measured[1], measured[3], lessIsBetter: true),
            Figure.Of(ServedName, "s", measured[2], measured[3], lessIsBetter: true),
        ];
    }

    private static async Task ComputeAsync(string folder, IBackbone backbone, AutotuningResult choice)
    {
        var fileIndex = await DatasetSource.ListAsync(folder);
        var images = new byte[(long)fileIndex.Entries.Count * Size * Size * 3];
        using var packed = new MemoryStream(images);
        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full),
            packed
        );

        using var extractor = new FeatureExtractor(backbone, choice.Precision, torch.CPU, choice.BatchSize);
        var features = extractor.Extract(images, fileIndex.Entries.Count, Size);

        // The run's own split: with other validation images the regularisation path ends elsewhere.
        var manifest = DatasetManifest.Create(fileIndex, records);
        var defaults = new RunSpecification();
        var split = DatasetSplit.Draw(manifest, defaults.SplitSeed, defaults.ValidationFraction, defaults.TestFraction);
        int[] rows = [.. split.Train, .. split.Validation];
        int[] train = [.. Enumerable.Range(0, split.Train.Length)];
        int[] validation = [.. Enumerable.Range(split.Train.Length, split.Validation.Length)];
        using var data = FeatureData.Create(features.Select(rows), LabelsOf(rows), train, validation, torch.CPU);
        var state = RegularisationPath.Start(
            HeadDefinition.Linear,
            new RegularisationPathOptions(RegularisationPathOptions.DefaultPenalties(fileIndex.ClassNames.Count)),
            data,
            fileIndex.ClassNames.Count
        );
        var head = TrainedHead.Load(RegularisationPath.Train(state, data, () => false).State.ExportBest());
        var tests = features.Select(split.Test);
        ClassificationMetrics.Compute(head.Logits(tests), LabelsOf(split.Test), head.Classes, topK: 5);
        var learnt = features.Select(rows);
        ClassGaussians.Fit(learnt, LabelsOf(rows), head.Classes);
        using var nearest = new NearestImages(learnt);
        nearest.Find(tests, most: 3);

        int[] LabelsOf(int[] images) => [.. images.Select(image => manifest.Images[image].Label)];
    }
}

/// <summary>
/// The same run again on a volume that knows images and features, in the process that has done the first, and in fresh ones: seconds
/// from submission to evaluation, against the first one's. The data set has as many images as the default sample.
/// </summary>
internal sealed class SecondRunBenchmark : IBenchmark
{
    private const int TrainImages = 1000,
        TestImages = 500,
        Rounds = 7;

    public string Name => "second-run";

    private string FreshName => $"{Name}-fresh";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var source = new TemporaryFolder();
        using var servedVolume = new TemporaryFolder();
        using var freshVolume = new TemporaryFolder();
        await SampleDataset.WriteAsync(source.Path, seed: 0, TrainImages, TestImages, cancellationToken);
        using var first = await Contestant.StartAsync(
            ["first-run", TestEnvironment.ServiceDll("Standalone"), source.Path],
            cancellationToken
        );
        using var served = await Contestant.StartAsync(["served-run", source.Path, servedVolume.Path], cancellationToken);
        using var fresh = await Contestant.StartAsync(["second-run", source.Path, freshVolume.Path], cancellationToken);
        var measured = await Contestant.CompeteAsync([served, fresh, first], Rounds, cancellationToken);
        var peer = measured[2] with { Name = "the first run, in a fresh process" };
        return
        [
            Figure.Of(Name, "s", measured[0], peer, lessIsBetter: true),
            Figure.Of(FreshName, "s", measured[1], peer, lessIsBetter: true),
        ];
    }
}

/// <summary>The one-process host as a contestant.</summary>
internal static class WholeRuns
{
    /// <summary>Runs on a volume of its own each time.</summary>
    public static (string Name, Func<double> Measure) First(string host, string folder) =>
        (
            "a run on a new volume",
            () =>
            {
                using var volume = new TemporaryFolder();
                return Run(host, folder, volume.Path);
            }
        );

    /// <summary>Runs on a volume that has seen the same run.</summary>
    public static (string Name, Func<double> Measure) Second(string folder, string volume)
    {
        var host = TestEnvironment.ServiceDll("Standalone");
        Run(host, folder, volume);
        return ("a run on a known volume", () => Run(host, folder, volume));
    }

    /// <summary>Runs in one process that serves, on a volume that has seen the same run.</summary>
    public static (string Name, Func<double> Measure) Served(string folder, string volume)
    {
        var client = Serve(volume);
        Submit(client, folder);
        return ("a run in the same process", () => Submit(client, folder));
    }

    /// <summary>Runs in one process that serves, on images that it has not seen: every time another pixel is another.</summary>
    public static (string Name, Func<double> Measure) ServedFirst(string folder, string volume)
    {
        var client = Serve(volume);
        Submit(client, folder);
        var times = 0;
        return (
            "a run on new images in the same process",
            () =>
            {
                using var copy = new TemporaryFolder();
                foreach (var file in Directory.EnumerateFiles(folder))
                {
                    File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
                }

                using (var pixels = File.Open(Path.Combine(copy.Path, "train_X.bin"), FileMode.Open))
                {
                    pixels.Position = times++;
                    var value = pixels.ReadByte();
                    pixels.Position--;
                    pixels.WriteByte((byte)(255 - value));
                }

                return Submit(client, copy.Path);
            }
        );
    }

    private static double Submit(HttpClient client, string folder) => SubmitAsync(client, folder).GetAwaiter().GetResult();

    /// <summary>Starts a host that ends with the contestant.</summary>
    private static HttpClient Serve(string volume)
    {
        var address = $"http://127.0.0.1:{FreePort.Next()}";
        var host = HostProcess.StartService(TestEnvironment.ServiceDll("Standalone"), ["serve", "--urls", address, "--volume", volume]);
        var client = new HttpClient { BaseAddress = new Uri(address) };
        try
        {
            host.WaitForLineAsync(line => line.Contains("Now listening", StringComparison.Ordinal)).GetAwaiter().GetResult();
            return client;
        }
        catch
        {
            host.Kill();
            throw;
        }
    }

    /// <summary>One run by the API.</summary>
    /// <returns>Seconds from submission to evaluation, as the catalog has them.</returns>
    private static async Task<double> SubmitAsync(HttpClient client, string folder)
    {
        using var submitted = await client.PostAsJsonAsync("/api/v1/runs", new { dataset = folder });
        if (!submitted.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"The run was refused: {await submitted.Content.ReadAsStringAsync()}");
        }

        var id = (await submitted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("summary").GetProperty("runId").GetGuid();
        while (true)
        {
            var run = await client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{id:D}");
            var summary = run.GetProperty("summary");
            switch (summary.GetProperty("state").GetString())
            {
                case "completed":
                    return run.GetProperty("seconds").GetProperty("total").GetDouble();
                case "failed":
                    throw new InvalidOperationException($"The run failed: {summary.GetProperty("failure").GetString()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    /// <summary>One command.</summary>
    /// <returns>Seconds from submission to evaluation, as the catalog has them.</returns>
    private static double Run(string host, string folder, string volume)
    {
        var start = new ProcessStartInfo(Path.ChangeExtension(host, null), ["run", "--dataset", folder, "--volume", volume, "--json"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"The run ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}");
        }

        using var result = JsonDocument.Parse(output.AsMemory());
        return result.RootElement.GetProperty("seconds").GetProperty("total").GetDouble();
    }
}

/// <summary>A new folder, which goes with all that is in it.</summary>
/// <param name="below">The folder that it is made in; that of the machine for temporary files where null.</param>
internal sealed class TemporaryFolder(string? below = null) : IDisposable
{
    private readonly DirectoryInfo _folder = below is null
        ? Directory.CreateTempSubdirectory("distributed-benchmark-")
        : Directory.CreateDirectory(System.IO.Path.Combine(below, Guid.NewGuid().ToString("N")));

    public string Path => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}
