using System.Diagnostics;
using System.Net;
using Distributed.Datasets.Sources;
using Distributed.TestServers;

namespace Distributed.Benchmarks;

/// <summary>
/// What telemetry costs: all hosts over RabbitMQ and Postgres, once with traces, logs and metrics sent to a collector and every host's metrics
/// scraped every five seconds, once without. The first row is the seconds of a run on new images, nearly all of it extraction; the second is the
/// runs a second of many on known features, where there is nothing but the system's own work.
/// </summary>
internal sealed class TelemetryCostBenchmark : IBenchmark
{
    private const int TrainImages = 1000,
        TestImages = 500,
        KnownImages = 100,
        Queued = 100,
        Rounds = 4;
    private const string New = "new",
        Known = "known";
    private static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(5);

    public string Name => "telemetry";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var source = new TemporaryFolder();
        await SampleDataset.WriteAsync(Path.Combine(source.Path, New), seed: 0, TrainImages, TestImages, cancellationToken);
        await SampleDataset.WriteAsync(Path.Combine(source.Path, Known), seed: 0, KnownImages, KnownImages, cancellationToken);
        using var collector = new Collector();
        await using var with = await Side.StartAsync("with telemetry", source.Path, collector, cancellationToken);
        await using var without = await Side.StartAsync("without telemetry", source.Path, collector: null, cancellationToken);
        var figures = new List<Figure>();
        foreach (
            var (name, job, lessIsBetter, measure) in new (string, string, bool, Func<Side, int, Task<double>>)[]
            {
                ("new-images", "s", true, (side, round) => side.ExtractAsync(round, cancellationToken)),
                ("queue", "runs/s", false, (side, _) => side.QueueAsync(cancellationToken)),
            }
        )
        {
            var (ours, peer) = (new List<double>(), new List<double>());
            // The first round compiles.
            for (var round = 0; round <= Rounds; round++)
            {
                // Whoever comes second finds the disk's cache as the first has left it, so they take turns at that too.
                var first = await measure(round % 2 == 0 ? with : without, round);
                var second = await measure(round % 2 == 0 ? without : with, round);
                if (round > 0)
                {
                    ours.Add(round % 2 == 0 ? first : second);
                    peer.Add(round % 2 == 0 ? second : first);
                }
            }

            figures.Add(
                Figure.Of($"{Name}-{name}", job, new Measurement(with.Name, ours), new Measurement(without.Name, peer), lessIsBetter)
            );
        }

        return figures;
    }

    /// <summary>All hosts, with telemetry or without.</summary>
    private sealed class Side : IAsyncDisposable
    {
        private readonly Cluster _cluster;
        private readonly string _source;
        private readonly CancellationTokenSource _end = new();
        private readonly Task _scraping;

        private Side(string name, string source, Cluster cluster, bool isScraped)
        {
            (Name, _source, _cluster) = (name, source, cluster);
            _scraping = isScraped ? ScrapeAsync() : Task.CompletedTask;
        }

        public string Name { get; }

        public static async Task<Side> StartAsync(string name, string source, Collector? collector, CancellationToken cancellationToken)
        {
            var settings = new Dictionary<string, string?> { ["Data__Roots__1"] = source };
            if (collector is not null)
            {
                settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address;
                settings["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
            }

            var side = new Side(name, source, await Cluster.StartAsync(settings), collector is not null);
            // What is queued needs features that are there.
            await side._cluster.WaitForCompletionAsync(await side._cluster.SubmitAsync(Specify(Path.Combine(source, Known), seed: 0)));
            cancellationToken.ThrowIfCancellationRequested();
            return side;
        }

        /// <summary>One run on images that are new to this side.</summary>
        /// <returns>Seconds of extraction, as the catalog has them.</returns>
        public async Task<double> ExtractAsync(int round, CancellationToken cancellationToken)
        {
            using var copy = new TemporaryFolder(_source);
            foreach (var file in Directory.EnumerateFiles(Path.Combine(_source, New)))
            {
                var bytes = await File.ReadAllBytesAsync(file, cancellationToken);
                if (Path.GetFileName(file) == "train_X.bin")
                {
                    bytes[round] ^= 0xff;
                }

                await File.WriteAllBytesAsync(Path.Combine(copy.Path, Path.GetFileName(file)), bytes, cancellationToken);
            }

            var run = await _cluster.WaitForCompletionAsync(await _cluster.SubmitAsync(Specify(copy.Path, seed: 0)));
            return run.GetProperty("seconds").GetProperty("features").GetDouble();
        }

        /// <summary>Many runs on known features.</summary>
        /// <returns>Runs a second, from the first submission to the last end.</returns>
        public async Task<double> QueueAsync(CancellationToken cancellationToken)
        {
            var started = Stopwatch.GetTimestamp();
            for (var seed = 1; seed <= Queued; seed++)
            {
                await _cluster.SubmitAsync(Specify(Path.Combine(_source, Known), seed));
            }

            await _cluster.WaitAsync(
                "the queue to be empty",
                () => _cluster.QueryAsync<long>("select count(*) from runs where finished_at is null"),
                open => open == 0
            );
            cancellationToken.ThrowIfCancellationRequested();
            return Queued / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _scraping;
            await _cluster.DisposeAsync();
            _end.Dispose();
        }

        /// <summary>fp32, so that no measurement decides what is measured; one penalty, so that the head takes no time.</summary>
        private static object Specify(string dataset, int seed) =>
            new
            {
                dataset,
                seed,
                precision = "fp32",
                report = false,
                training = new { penalties = new[] { 0.01 } },
            };

        private async Task ScrapeAsync()
        {
            using var timer = new PeriodicTimer(ScrapeInterval);
            try
            {
                while (await timer.WaitForNextTickAsync(_end.Token))
                {
                    foreach (var service in Cluster.Services)
                    {
                        await _cluster.GetTextAsync(service, "/metrics");
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // The benchmark has ended.
            }
        }
    }

    /// <summary>Takes whatever is sent, and keeps none of it.</summary>
    private sealed class Collector : IDisposable
    {
        private readonly HttpListener _listener = new();

        public Collector()
        {
            Address = $"http://127.0.0.1:{FreePort.Next()}/";
            _listener.Prefixes.Add(Address);
            _listener.Start();
            _ = ReceiveAsync();
        }

        public string Address { get; }

        public void Dispose() => _listener.Close();

        private async Task ReceiveAsync()
        {
            while (_listener.IsListening)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    await context.Request.InputStream.CopyToAsync(Stream.Null);
                    context.Response.Close();
                }
                catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }
            }
        }
    }
}
