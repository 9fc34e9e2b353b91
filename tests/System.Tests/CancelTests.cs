using System.Diagnostics;
using System.Net;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class CancelTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Jobs that would take far longer than the limit.</summary>
    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["Ingestion__SampleTrainImages"] = "1500",
        ["Ingestion__SampleTestImages"] = "500",
        ["Ingestion__MostImagesAPart"] = "2000",
        ["Ingestion__MostBytesAPart"] = "1000000000",
        ["Training__ShardImages"] = "8192",
        ["Training__Slice"] = "00:10:00",
    };

    [Fact]
    public async Task Cancelling_takes_effect_within_two_seconds_at_every_stage()
    {
        using var slow = new SlowServer();
        var settings = new Dictionary<string, string?>(Settings)
        {
            ["Ingestion__Stl10Url"] = slow.Url,
            ["Ingestion__AllowPrivateAddresses"] = "true",
            ["Ingestion__DownloadSlice"] = "00:01:00",
        };
        await using var cluster = await Cluster.StartAsync(settings);

        await CancelWhileRunningAsync(cluster, "DownloadFile", new { dataset = "stl10" });
        await CancelWhileRunningAsync(cluster, "PackImages", new { inputSize = 384 });
        await CancelWhileRunningAsync(cluster, "ExtractFeatures", new { inputSize = 224, precision = "fp32" });

        await cluster.KillAsync("Training");
        await CancelAsync(cluster, await ReachAsync(cluster, "Extracting"), "queue", held: 0);
        cluster.Start("Training");
        var training = new
        {
            inputSize = 32,
            precision = "fp32",
            head = new { kind = "mlp" },
            training = new { epochs = 10_000, patience = 10_000 },
        };
        await CancelWhileRunningAsync(cluster, "TrainHead", training);

        // Testing a head is over too soon to be met at it: so one table that it reads is held.
        await cluster.KillAsync("Evaluation");
        var run = await ReachAsync(cluster, "Evaluating");
        await using var connection = await cluster.Catalog.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = connection.CreateCommand();
        hold.CommandText = "lock table feature_shards in access exclusive mode";
        await hold.ExecuteNonQueryAsync();
        cluster.Start("Evaluation");
        await WaitUntilRunningAsync(cluster, "EvaluateHead");
        await CancelAsync(cluster, run, "EvaluateHead", held: 1);
    }

    /// <summary>Submits a small run, and waits until it can get no further than a state, since nobody is there to go on.</summary>
    private static async Task<Guid> ReachAsync(Cluster cluster, string state)
    {
        var run = await cluster.SubmitAsync(new { inputSize = 32, precision = "fp32" });
        await cluster.WaitAsync(
            $"the run to wait in {state}",
            () =>
                cluster.QueryAsync<bool>(
                    $"select exists (select 1 from runs where id = '{run}' and state = '{state}') and not exists (select 1 from jobs where state = 'Running')"
                ),
            waits => waits
        );
        return run;
    }

    private static async Task CancelWhileRunningAsync(Cluster cluster, string kind, object specification)
    {
        var run = await cluster.SubmitAsync(specification);
        await WaitUntilRunningAsync(cluster, kind);
        await CancelAsync(cluster, run, kind, held: 1);
    }

    private static Task<long> WaitUntilRunningAsync(Cluster cluster, string kind) =>
        cluster.WaitAsync(
            $"a job of {kind} to run",
            () => cluster.QueryAsync<long>($"select count(*) from jobs where kind = '{kind}' and state = 'Running'"),
            running => running > 0
        );

    /// <summary>Cancels a run, and measures until nobody works for it any more.</summary>
    private static async Task CancelAsync(Cluster cluster, Guid run, string stage, long held)
    {
        Assert.Equal(held, await RunningAsync(cluster));
        var started = Stopwatch.GetTimestamp();
        using var response = await cluster.Api.PostAsync($"/api/v1/runs/{run}/cancel", content: null);
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        await cluster.WaitAsync($"the work on {stage} to end", () => RunningAsync(cluster), running => running == 0);
        var elapsed = Stopwatch.GetElapsedTime(started);

        TestContext.Current.TestOutputHelper!.WriteLine($"{stage}: {elapsed.TotalSeconds:F2} s");
        Assert.True(elapsed < Limit, $"The work on {stage} ended {elapsed.TotalSeconds:F2} s after it was cancelled.");
        Assert.Equal("Cancelled", await cluster.QueryAsync<string>($"select state from runs where id = '{run}'"));
    }

    private static Task<long> RunningAsync(Cluster cluster) =>
        cluster.QueryAsync<long>("select count(*) from jobs where state = 'Running'");

    /// <summary>Sends a file that never ends, a little at a time.</summary>
    private sealed class SlowServer : IDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly CancellationTokenSource _end = new();
        private readonly Task _serving;

        public SlowServer()
        {
            Url = $"http://127.0.0.1:{FreePort.Next()}/stl10.tar.gz";
            _listener.Prefixes.Add(new Uri(new Uri(Url), "/").ToString());
            _listener.Start();
            _serving = ServeAsync();
        }

        public string Url { get; }

        public void Dispose()
        {
            _end.Cancel();
            _listener.Close();
            _end.Dispose();
        }

        private async Task ServeAsync()
        {
            while (!_end.IsCancellationRequested)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    context.Response.ContentLength64 = 1L << 32;
                    while (true)
                    {
                        await context.Response.OutputStream.WriteAsync(new byte[1024], _end.Token);
                        await Task.Delay(50, _end.Token);
                    }
                }
                catch (Exception exception)
                    when (exception
                            is HttpListenerException
                                or ObjectDisposedException
                                or OperationCanceledException
                                or InvalidOperationException
                    )
                {
                    // The client went away, as it should, or the test is over.
                }
            }
        }
    }
}
