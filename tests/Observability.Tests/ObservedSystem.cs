using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;
using Distributed.TestServers;
using RabbitMQ.Client;

namespace Distributed.Observability.Tests;

/// <summary>All hosts with three trainers, a broker and a database under a real Prometheus: runs that succeed, fail and are cancelled, and faults.</summary>
public sealed class ObservedSystem : IAsyncLifetime
{
    private static readonly string[] Trainers = ["Training", "Training 2", "Training 3"];

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("distributed-observed-");
    private readonly HashSet<string> _firedAndResolved = new(StringComparer.Ordinal);
    private RestartableServers? _servers;
    private PrometheusServer? _prometheus;
    private Cluster? _cluster;

    /// <summary>The Prometheus that has seen it all; null where none is installed.</summary>
    internal PrometheusServer? Prometheus => _prometheus;

    /// <summary>The alerts of the faults, in the order of their names.</summary>
    internal IEnumerable<string> FiredAndResolved => _firedAndResolved.Order(StringComparer.Ordinal);

    /// <summary>What has happened since the beginning.</summary>
    internal TimeSpan Length => DateTimeOffset.UtcNow - _prometheus!.Begun;

    public async ValueTask InitializeAsync()
    {
        if (TestEnvironment.PrometheusPath is null)
        {
            return;
        }

        _servers = await RestartableServers.StartAsync();
        _prometheus = await PrometheusServer.StartAsync();
        _cluster = await Cluster.StartAsync(
            new Dictionary<string, string?>
            {
                ["Data__Roots__1"] = _data.FullName,
                ["Ingestion__SampleTrainImages"] = "600",
                ["Ingestion__SampleTestImages"] = "200",
                ["Ingestion__MostImagesAPart"] = "150",
                ["Training__ShardImages"] = "32",
                ["Training__Slice"] = "00:00:00.500",
                ["Training__Threads"] = "1",
                ["Jobs__Lease"] = "00:00:05",
            },
            servers: _servers.Addresses
        );
        foreach (var trainer in Trainers.Skip(1))
        {
            _cluster.Start("Training", trainer);
        }

        await ScrapeAsync();
        await RunsEndInEveryWayAsync(_cluster);
        await ATrainerIsFrozenAsync(_cluster);
        await ATrainerIsKilledAsync(_cluster);
        await NoTrainerIsThereAsync(_cluster);
        await TheBrokerIsAwayAsync(_cluster, _servers);
        await _cluster.WaitForCompletionAsync(await _cluster.SubmitAsync(Run(seed: 9)));
        await DrawAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        if (_prometheus is not null)
        {
            await _prometheus.DisposeAsync();
        }

        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        _data.Delete(recursive: true);
    }

    private static object Run(int seed, int epochs = 60) =>
        new
        {
            dataset = "sample",
            seed,
            precision = "fp32",
            head = new
            {
                kind = "mlp",
                hiddenSizes = new[] { 512 },
                dropout = 0.5,
            },
            training = new { epochs, patience = epochs },
        };

    private async Task RunsEndInEveryWayAsync(Cluster cluster)
    {
        await WriteImagesAsync("unreadable", readable: 0);
        await WriteImagesAsync("mixed", readable: 12);
        var failing = await cluster.SubmitAsync(new { dataset = Path.Combine(_data.FullName, "unreadable"), inputSize = 32 });
        Guid[] runs =
        [
            await cluster.SubmitAsync(Run(seed: 1)),
            await cluster.SubmitAsync(Run(seed: 2)),
            await cluster.SubmitAsync(
                new
                {
                    dataset = Path.Combine(_data.FullName, "mixed"),
                    inputSize = 32,
                    precision = "fp32",
                }
            ),
        ];
        var cancelled = await cluster.SubmitAsync(Run(seed: 3, epochs: 5000));
        await PublishWhatNobodyCanReadAsync(cluster);

        foreach (var run in runs)
        {
            await cluster.WaitForCompletionAsync(run);
        }

        await WaitForJobAsync(cluster, cancelled, "TrainHead", "Done");
        await CancelAsync(cluster, cancelled);
        await WaitForStateAsync(cluster, failing, "Failed");
    }

    /// <summary>A trainer gives no sign of life for longer than its lease, and then learns that another has its job.</summary>
    private async Task ATrainerIsFrozenAsync(Cluster cluster)
    {
        var run = await cluster.SubmitAsync(Run(seed: 4, epochs: 5000));
        var (frozen, token) = await FreezeInAsync(cluster, run);
        await cluster.WaitAsync(
            "the job to go to another trainer",
            () =>
                cluster.QueryAsync<long>(
                    $"select count(*) from jobs u join attempts a on a.job_id = u.id where a.token = '{token}' and u.attempt <> a.token"
                ),
            count => count == 1
        );
        frozen.Continue();
        await cluster.WaitAsync(
            "the late trainer to learn that its job is lost",
            () => cluster.QueryAsync<string>($"select coalesce((select outcome from attempts where token = '{token}'), '')"),
            outcome => outcome == "Lost"
        );
        // The trainer that took the job over has counted it, and may be the next one to be killed.
        await cluster.WaitAsync(
            "the job that was taken over to be counted",
            async () => (await _prometheus!.QueryAsync("distributed_job_reclaimed_total")).GetArrayLength(),
            count => count > 0
        );
        await CancelAsync(cluster, run);
    }

    private static async Task<(HostProcess Host, Guid Attempt)> FreezeInAsync(Cluster cluster, Guid run)
    {
        while (true)
        {
            var (token, process) = await cluster.WaitAsync(
                "a slice of training",
                async () =>
                    await cluster.ReadAsync(
                        $"select a.token, split_part(a.worker, '/', 2)::int from jobs u join attempts a on a.token = u.attempt where u.scope like '{run}%' and u.kind = 'TrainHead' and u.state = 'Running'",
                        reader => (Token: reader.GetGuid(0), Process: reader.GetInt32(1))
                    )
                        is [var first, ..]
                        ? first
                        : default,
                found => found.Process != 0
            );
            var host = cluster.Hosts.Values.Single(host => host.Id == process);
            host.Pause();
            if (await cluster.QueryAsync<long>($"select count(*) from jobs where attempt = '{token}' and state = 'Running'") == 1)
            {
                return (host, token);
            }

            // It was committed in the moment before: it goes on, and the next one is tried.
            host.Continue();
        }
    }

    private static async Task CancelAsync(Cluster cluster, Guid run)
    {
        using var answer = await cluster.Api.PostAsync(new Uri($"/api/v1/runs/{run}/cancel", UriKind.Relative), content: null);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await WaitForStateAsync(cluster, run, "Cancelled");
    }

    private static Task<string> WaitForStateAsync(Cluster cluster, Guid run, string state) =>
        cluster.WaitAsync(
            $"run {run} to be {state}",
            () => cluster.QueryAsync<string>($"select state from runs where id = '{run}'"),
            found => found == state
        );

    private async Task ATrainerIsKilledAsync(Cluster cluster)
    {
        await cluster.KillAsync(Trainers[2]);
        await WaitForAlertAsync(cluster, "HostDown", "job=\"training\"", fires: true);
        cluster.Start("Training", Trainers[2]);
        await ScrapeAsync();
        await WaitForAlertAsync(cluster, "HostDown", "job=\"training\"", fires: false);
    }

    private async Task NoTrainerIsThereAsync(Cluster cluster)
    {
        await Task.WhenAll(Trainers.Select(trainer => cluster.TerminateAsync(trainer, TimeSpan.FromSeconds(30))));
        await ScrapeAsync();
        var run = await cluster.SubmitAsync(Run(seed: 5));
        await WaitForAlertAsync(cluster, "NoWorkerConnected", "service=\"training\"", fires: true);
        Assert.False(await _prometheus!.FiresAsync("NoWorkerConnected", "service!=\"training\""));
        foreach (var trainer in Trainers)
        {
            cluster.Start("Training", trainer);
        }

        await ScrapeAsync();
        await WaitForAlertAsync(cluster, "NoWorkerConnected", "service=\"training\"", fires: false);
        await cluster.WaitForCompletionAsync(run);
    }

    private async Task TheBrokerIsAwayAsync(Cluster cluster, RestartableServers servers)
    {
        var run = await cluster.SubmitAsync(Run(seed: 6, epochs: 600));
        await WaitForJobAsync(cluster, run, "TrainHead", "Running");
        await servers.HaltBrokerAsync();
        await WaitForAlertAsync(cluster, "OutageGoingOn", "system=\"broker\"", fires: true);
        await servers.RestartBrokerAsync(kill: false);
        await WaitForAlertAsync(cluster, "OutageGoingOn", "system=\"broker\"", fires: false);
        await cluster.WaitForCompletionAsync(run);
    }

    private async Task WaitForAlertAsync(Cluster cluster, string alert, string labels, bool fires)
    {
        await cluster.WaitAsync(
            $"the alert {alert} {{{labels}}} to {(fires ? "fire" : "resolve")}",
            () => _prometheus!.FiresAsync(alert, labels),
            found => found == fires
        );
        if (!fires)
        {
            _firedAndResolved.Add(alert);
        }
    }

    private static Task<long> WaitForJobAsync(Cluster cluster, Guid run, string kind, string state) =>
        cluster.WaitAsync(
            $"a job {kind} of {run} to be {state}",
            () =>
                cluster.QueryAsync<long>($"select count(*) from jobs where scope like '{run}%' and kind = '{kind}' and state = '{state}'"),
            count => count > 0
        );

    /// <summary>Two classes, each with so many pictures, and a file that is none.</summary>
    private async Task WriteImagesAsync(string name, int readable)
    {
        foreach (var (label, shade) in new[] { ("dark", 20), ("light", 200) })
        {
            var folder = _data.CreateSubdirectory(Path.Combine(name, label));
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "page.jpg"), "<html>");
            for (var i = 0; i < readable; i++)
            {
                // A bitmap of 32 by 32 pixels: two headers of 54 bytes together, then the rows.
                var bitmap = new byte[54 + (32 * 32 * 3)];
                "BM"u8.CopyTo(bitmap);
                BinaryPrimitives.WriteInt32LittleEndian(bitmap.AsSpan(2), bitmap.Length);
                bitmap[10] = 54;
                bitmap[14] = 40;
                bitmap[18] = 32;
                bitmap[22] = 32;
                bitmap[26] = 1;
                bitmap[28] = 24;
                bitmap.AsSpan(54).Fill((byte)(shade + i));
                await File.WriteAllBytesAsync(Path.Combine(folder.FullName, $"{i}.bmp"), bitmap);
            }
        }
    }

    private static async Task PublishWhatNobodyCanReadAsync(Cluster cluster)
    {
        await using var connection = await new ConnectionFactory { Uri = cluster.Broker.Uri }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicPublishAsync("extract-features", "", mandatory: true, Encoding.UTF8.GetBytes("no message of ours"));
    }

    /// <summary>Tells Prometheus the hosts of the moment, each by the name of its service.</summary>
    private Task ScrapeAsync() =>
        _prometheus!.ScrapeAsync([
            ("rabbitmq", _servers!.Addresses.RabbitMqPrometheus!),
            .. _cluster!.Hosts.Keys.Select(name =>
                (name.Split(' ')[0] is "AdminApi" ? "admin-api" : name.Split(' ')[0].ToLowerInvariant(), _cluster.Address(name))
            ),
        ]);

    /// <summary>Pictures for the documentation, where DISTRIBUTED_TEST_PICTURES names a folder for them.</summary>
    private async Task DrawAsync()
    {
        if (Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_PICTURES") is not { Length: > 0 } folder)
        {
            return;
        }

        await _cluster!.WaitAsync(
            "Prometheus to know of the last run's end",
            async () => (await _prometheus!.QueryAsync("sum(distributed_run_open) == 0")).GetArrayLength(),
            found => found > 0
        );
        var minutes = Math.Ceiling(Length.TotalMinutes).ToString(CultureInfo.InvariantCulture);
        await using var script = HostProcess.Start(
            Path.Combine(TestEnvironment.RepositoryRoot, "infra", "observability", "draw.sh"),
            [_prometheus!.Address.ToString(), folder, minutes, "1"]
        );
        Assert.True(await script.WaitForExitAsync(TimeSpan.FromMinutes(2)) == 0, string.Join('\n', script.Lines));
    }
}
