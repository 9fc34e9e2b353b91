using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.Imaging;
using Distributed.TestServers;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Benchmarks;

/// <summary>
/// How long a prediction takes, warm: a JPEG of 500 × 375 pixels, the demo base at 96 px, from the request over HTTP to its answer. Median
/// and 99th
/// percentile, in milliseconds; one client after the other.
/// </summary>
/// <param name="name">Name of the row.</param>
/// <param name="start">Starts what is asked.</param>
internal sealed class PredictionLatencyBenchmark(string name, Func<CancellationToken, Task<PredictionServer>> start) : IBenchmark
{
    private const int Warm = 300,
        Requests = 400,
        Rounds = 5;

    public string Name => name;

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        await using var server = await start(cancellationToken);
        await AskAsync(server, Warm, cancellationToken);
        var (medians, tails) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            var times = await AskAsync(server, Requests, cancellationToken);
            medians.Add(times.Median);
            tails.Add(times.At(0.99));
        }

        return
        [
            Figure.Of(Name, "p50 ms", new Measurement("", medians), peer: null),
            Figure.Of(Name, "p99 ms", new Measurement("", tails), peer: null),
        ];
    }

    private static async Task<Measurement> AskAsync(PredictionServer server, int count, CancellationToken cancellationToken)
    {
        var times = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await server.PredictAsync(i, cancellationToken);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return new Measurement("", times);
    }
}

/// <summary>
/// Images a second of 16 clients of one process that wait for their answers, beside bulk work on the same machine in the same arithmetic:
/// from the
/// same files, as a run packs and extracts them, and extraction alone, of pixels that are decoded already.
/// </summary>
internal sealed class PredictionThroughputBenchmark : IBenchmark
{
    private const int Clients = 16,
        Size = 96,
        Rounds = 5;
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(4);

    public string Name => "predict-16";

    /// <summary>The peer: all files are decoded on all cores, then all images extracted.</summary>
    public static (string Name, Func<double> Measure) FromFiles()
    {
        byte[][] files = [.. Enumerable.Range(0, 64).Select(seed => Photo.Draw(seed))];
        using var backbone = BackboneSource.Load(BackboneSource.Demo);
        var choice = Autotuner.Choose(backbone, Size, torch.CPU);
        var extractor = new FeatureExtractor(backbone, choice.Precision, torch.CPU, choice.BatchSize);
        var pixels = new byte[files.Length * Size * Size * 3];
        var preparation = new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Scaled);
        var features = new float[files.Length * extractor.FeatureSize];
        return (
            $"bulk from the same files, {choice.Precision}",
            () =>
                Contestants.ImagesPerSecond(
                    TimeSpan.FromSeconds(1.5),
                    files.Length,
                    () =>
                    {
                        Parallel.For(
                            0,
                            files.Length,
                            i => ImageDecoder.Decode(files[i], preparation).Pixels.CopyTo(pixels, i * Size * Size * 3)
                        );
                        extractor.Extract(pixels, files.Length, Size, features);
                    }
                )
        );
    }

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var files = await Contestant.StartAsync(["extract-files"], cancellationToken);
        using var pixels = await Contestant.StartAsync(["extract", "best", $"{Size}"], cancellationToken);
        await using var server = await PredictionServer.StartAloneAsync(cancellationToken);
        await AskAsync(server, cancellationToken);
        var (ours, fromFiles, fromPixels) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            ours.Add(await AskAsync(server, cancellationToken));
            var peers = await Contestant.CompeteAsync([files, pixels], 1, cancellationToken);
            fromFiles.AddRange(peers[0].Rounds);
            fromPixels.AddRange(peers[1].Rounds);
        }

        var measured = new Measurement("", ours);
        return
        [
            Figure.Of(Name, "images/s", measured, new Measurement(files.Name, fromFiles)),
            Figure.Of(Name, "images/s", measured, new Measurement($"extraction alone, {pixels.Name}", fromPixels)),
        ];
    }

    private static async Task<double> AskAsync(PredictionServer server, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var answers = 0;
        await Task.WhenAll(
            Enumerable
                .Range(0, Clients)
                .Select(async client =>
                {
                    for (var i = client; Stopwatch.GetElapsedTime(started) < Round; i++)
                    {
                        await server.PredictAsync(i, cancellationToken);
                        Interlocked.Increment(ref answers);
                    }
                })
        );
        return answers / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}

/// <summary>
/// 100,000 predictions of 16 clients in one process: the resident memory of the server at the end, beside that after the first tenth; every
/// answer
/// is compared with the first one for its image.
/// </summary>
internal sealed class PredictionMemoryBenchmark : IBenchmark
{
    private const int Predictions = 100_000,
        Clients = 16;

    public string Name => "predict-memory";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        await using var server = await PredictionServer.StartAloneAsync(cancellationToken);
        await AskAsync(server, Predictions / 10, cancellationToken);
        var early = server.ResidentMebibytes;
        var different = await AskAsync(server, Predictions - (Predictions / 10), cancellationToken);
        return
        [
            Figure.Of(
                Name,
                "MiB",
                new Measurement("", [server.ResidentMebibytes]),
                new Measurement($"after the first tenth; {different} answers differ", [early]),
                lessIsBetter: true
            ),
        ];
    }

    private static async Task<int> AskAsync(PredictionServer server, int count, CancellationToken cancellationToken)
    {
        var (next, different) = (0, 0);
        var first = new ConcurrentDictionary<int, string>();
        await Task.WhenAll(
            Enumerable
                .Range(0, Clients)
                .Select(async _ =>
                {
                    for (var i = Interlocked.Increment(ref next); i <= count; i = Interlocked.Increment(ref next))
                    {
                        var answer = await server.PredictAsync(i, cancellationToken);
                        if (first.GetOrAdd(i % server.Images, answer) != answer)
                        {
                            Interlocked.Increment(ref different);
                        }
                    }
                })
        );
        return different;
    }
}

/// <summary>A model of the sample that answers over HTTP.</summary>
internal sealed class PredictionServer : IAsyncDisposable
{
    private static readonly Dictionary<string, string?> Settings = new() { ["Api__RequestsPerSecond"] = "100000" };
    private static readonly object Specification = new { report = false };

    private readonly HttpClient _api;
    private readonly IReadOnlyList<byte[]> _images = [.. Enumerable.Range(0, 32).Select(seed => Photo.Draw(seed))];
    private readonly IAsyncDisposable _hosts;

    private PredictionServer(HttpClient api, IAsyncDisposable hosts) => (_api, _hosts) = (api, hosts);

    /// <summary>Different images that are asked for in turns.</summary>
    public int Images => _images.Count;

    /// <summary>Memory of the one process.</summary>
    public double ResidentMebibytes
    {
        get
        {
            using var process = Process.GetProcessById(((SampleServer)_hosts).Process.Id);
            return process.WorkingSet64 / 1048576.0;
        }
    }

    /// <summary>All services in one process.</summary>
    public static Task<PredictionServer> StartAloneAsync(CancellationToken cancellationToken) =>
        StartAloneAsync(Specification, cancellationToken);

    /// <summary>The same with a model of another specification.</summary>
    public static async Task<PredictionServer> StartAloneAsync(object specification, CancellationToken cancellationToken)
    {
        var server = await SampleServer.StartAsync(specification, Settings, cancellationToken);
        return new PredictionServer(server.Api, server);
    }

    /// <summary>Hosts of their own, over RabbitMQ and Postgres.</summary>
    public static async Task<PredictionServer> StartHostsAsync(CancellationToken cancellationToken)
    {
        var cluster = await Cluster.StartAsync(Settings);
        var runId = await cluster.SubmitAsync(Specification);
        await cluster.WaitForCompletionAsync(runId);
        (await cluster.Api.PostAsJsonAsync("/api/v1/models/shapes/versions", new { runId }, cancellationToken)).EnsureSuccessStatusCode();
        return new PredictionServer(cluster.Api, cluster);
    }

    /// <summary>Asks for one image's classes.</summary>
    /// <returns>The most probable one with its probability.</returns>
    public async Task<string> PredictAsync(int image, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(_images[image % _images.Count])
        {
            Headers = { ContentType = new MediaTypeHeaderValue("image/jpeg") },
        };
        using var response = await _api.PostAsync("/api/v1/models/shapes@1/predict?top=1", content, cancellationToken);
        var answer = await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        var first = answer.GetProperty("images")[0].GetProperty("classes")[0];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{first.GetProperty("class").GetString()} {first.GetProperty("probability").GetDouble():F5}"
        );
    }

    /// <summary>The model's package.</summary>
    public Task<byte[]> ExportAsync(CancellationToken cancellationToken) =>
        _api.GetByteArrayAsync("/api/v1/models/shapes@1/export", cancellationToken);

    public ValueTask DisposeAsync() => _hosts.DisposeAsync();
}
