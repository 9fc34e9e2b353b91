using System.Globalization;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>
/// Ten thousand queued runs: submitting and listing stay quick while workers drain them, nobody's memory grows with their number,
/// and each comes to the result that the same specification has alone.
/// </summary>
internal sealed class QueueRow : IFaultRow
{
    private const int Clients = 4;
    private const double MostMilliseconds = 100;
    private const double MostGrowth = 1.15;
    private const long MostGrowthBytes = 48L << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(60);
    private static readonly TimeSpan ListEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>Linear heads of one penalty each; the runs take turns among them.</summary>
    private static readonly double[] Penalties = [.. Enumerable.Range(0, 20).Select(i => Math.Round(Math.Pow(10, -0.2 * i), 6))];

    private readonly Latencies _submit = new("submit");
    private readonly Latencies _first = new("list, first page");
    private readonly Latencies _state = new("list, by state");
    private readonly Latencies _deep = new("list, deep page");

    public string Name => "queue";

    public async Task RunAsync(FaultLab lab)
    {
        await using var cluster = await lab.StartClusterAsync(
            new Dictionary<string, string?>
            {
                ["Ingestion__SampleTrainImages"] = "100",
                ["Ingestion__SampleTestImages"] = "100",
                ["Training__Threads"] = "1",
            }
        );
        // One alone of each, so that features are cached and each result is known.
        var alone = new List<Guid>();
        foreach (var (penalty, index) in Penalties.Select((penalty, index) => (penalty, index)))
        {
            alone.Add(await RunChecks.SubmitAsync(cluster, Request($"alone {index}", penalty)));
            await cluster.WaitForCompletionAsync(alone[index]);
        }

        var results = await RunChecks.ResultsAsync(cluster, alone);
        lab.Say(
            $"{Penalties.Length} runs alone, {results.Select(result => result.HeadSha256).Distinct(StringComparer.Ordinal).Count()} different heads"
        );
        lab.Expect(lab.Queued);

        using var drained = new CancellationTokenSource();
        using var watch = new QueueWatch(
            cluster,
            RabbitMqVirtualHost.ManagementClient(lab.Servers.Addresses.RabbitMqManagement),
            alone.Count,
            drained.Token
        );
        var lists = ListAsync(cluster, alone[^1], drained.Token);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => SubmitAsync(lab, cluster, client)));
        var submitted = lab.Elapsed;
        lab.Say($"all {lab.Queued} submitted; {_submit}");
        await RunChecks.WaitAsync(lab, cluster, alone.Count + lab.Queued, Limit);
        await drained.CancelAsync();
        await lists;
        var samples = await watch.EndAsync();
        lab.Say(
            FormattableString.Invariant(
                $"drained {(lab.Elapsed - submitted).TotalSeconds:F0} s after the last was submitted, {samples.Count} samples"
            )
        );

        await SayWhereTimeWentAsync(lab, cluster, samples);
        foreach (var latencies in (Latencies[])[_submit, _first, _state, _deep])
        {
            lab.Say(latencies.ToString());
            lab.Check(
                latencies.At(0.99) < MostMilliseconds,
                FormattableString.Invariant($"{latencies.Name} took {latencies.At(0.99):F0} ms at the 99th percentile")
            );
        }

        CheckMemory(lab, samples);
        // Each run has one message at a time; what is sent twice at most doubles those few that were under way.
        var longest = samples.Max(sample => sample.Messages);
        var most = samples.Max(sample => sample.Messages - sample.Open);
        lab.Say(
            $"at most {longest} messages in all queues, at most {most} more than open runs; {samples.Max(sample => sample.DeadLettered)} dead-lettered"
        );
        lab.Check(
            most <= 100 && samples.All(sample => sample.DeadLettered == 0),
            $"{most} more messages than open runs, {samples.Max(sample => sample.DeadLettered)} dead-lettered"
        );
        await CheckRunsAsync(lab, cluster, results);
    }

    private static RunRequest Request(string name, double penalty) =>
        new(
            name,
            new
            {
                name,
                precision = "fp32",
                training = new { penalties = new[] { penalty } },
                report = false,
            }
        );

    private async Task SubmitAsync(FaultLab lab, Cluster cluster, int client)
    {
        for (var index = client; index < lab.Queued; index += Clients)
        {
            using var _ = _submit.Measure();
            await RunChecks.SubmitAsync(cluster, Request($"queued {index}", Penalties[index % Penalties.Length]));
            if (index % 2000 == 0)
            {
                lab.Say($"{index} submitted");
            }
        }
    }

    /// <summary>Looks at lists as people and dashboards do, until all is drained.</summary>
    private async Task ListAsync(Cluster cluster, Guid first, CancellationToken cancellationToken)
    {
        string[] states = ["submitted", "ingesting", "training", "completed"];
        using var timer = new PeriodicTimer(ListEvery);
        // The page after a run that was submitted before all that are queued.
        string[] paths = ["/api/v1/runs?limit=50", "/api/v1/runs?limit=50&state=", "/api/v1/runs?limit=50&after="];
        for (var turn = 0; !cancellationToken.IsCancellationRequested; turn++)
        {
            await MeasureAsync(_first, paths[0]);
            await MeasureAsync(_state, paths[1] + states[turn % states.Length]);
            await MeasureAsync(_deep, paths[2] + first);
            try
            {
                await timer.WaitForNextTickAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }

        async Task MeasureAsync(Latencies latencies, string path)
        {
            using var _ = latencies.Measure();
            await cluster.GetTextAsync(path);
        }
    }

    private static async Task SayWhereTimeWentAsync(FaultLab lab, Cluster cluster, IReadOnlyList<QueueSample> samples)
    {
        var jobs = await cluster.ReadAsync(
            """
            select u.kind, avg(extract(epoch from a.ended_at - a.started_at))::float8 * 1000
            from attempts a join jobs u on u.id = a.job_id join runs r on u.scope in (r.id::text, r.id::text || '/0')
            where r.name like 'queued %' group by u.kind order by min(u.id)
            """,
            row => FormattableString.Invariant($"{row.GetString(0)} {row.GetDouble(1):F1}")
        );
        lab.Say($"milliseconds a job, from start to commit: {string.Join(", ", jobs)}");
        var hosts = samples[^1]
            .Processor.Select(host =>
                FormattableString.Invariant($"{host.Key} {(host.Value - samples[0].Processor[host.Key]) * 1000 / lab.Queued:F1}")
            );
        lab.Say($"milliseconds of a processor a run: {string.Join(", ", hosts)}");
    }

    private static void CheckMemory(FaultLab lab, IReadOnlyList<QueueSample> samples)
    {
        if (samples[^1].Completed < lab.Queued / 4)
        {
            // Those that are missing are counted as lost.
            return;
        }

        var quarter = samples.First(sample => sample.Completed >= lab.Queued / 4).Resident;
        var end = samples[^1].Resident;
        foreach (var (host, bytes) in end)
        {
            var before = quarter[host];
            lab.Say(
                FormattableString.Invariant(
                    $"{host}: {before >> 20} MB resident with a quarter done, {bytes >> 20} MB at the end, at most {samples.Max(sample => sample.Resident[host]) >> 20} MB"
                )
            );
            lab.Check(
                bytes <= Math.Max(before * MostGrowth, before + MostGrowthBytes),
                $"{host} has grown from {before >> 20} to {bytes >> 20} MB"
            );
        }
    }

    private static async Task CheckRunsAsync(FaultLab lab, Cluster cluster, IReadOnlyList<RunResult> alone)
    {
        var states = await cluster.ReadAsync(
            "select state, count(*), min(failure) from runs where name like 'queued %' group by state",
            row => (State: row.GetString(0), Count: row.GetInt64(1), Failure: row.IsDBNull(2) ? null : row.GetString(2))
        );
        foreach (var (state, count, failure) in states.Where(row => row.State != "Completed"))
        {
            lab.CountLost($"{count} runs are {state}: {failure}");
        }

        lab.Check(states.Sum(row => row.Count) == lab.Queued, $"{states.Sum(row => row.Count)} runs, and not {lab.Queued}");
        var wrong = 0;
        foreach (
            var (name, accuracy, head) in await cluster.ReadAsync(
                "select r.name, e.test_accuracy, e.head_sha256 from runs r join evaluations e on e.run_id = r.id where r.name like 'queued %'",
                row => (row.GetString(0), row.GetDouble(1), row.GetString(2))
            )
        )
        {
            var expected = alone[int.Parse(name["queued ".Length..], CultureInfo.InvariantCulture) % Penalties.Length];
            if ((accuracy, head) != (expected.Accuracy, expected.HeadSha256) && wrong++ < 5)
            {
                lab.CountWrong($"{name} has accuracy {accuracy} and head {head}, alone {expected}");
            }
        }

        lab.Check(wrong == 0, $"{wrong} runs have other results than alone");
        foreach (var doubled in await RunChecks.DoublesAsync(cluster))
        {
            lab.CountDoubled(doubled);
        }
    }

    /// <summary>How long requests took.</summary>
    private sealed class Latencies(string name)
    {
        private readonly Lock _lock = new();
        private readonly List<double> _milliseconds = [];

        public string Name => name;

        public IDisposable Measure() => new Measurement(this);

        public double At(double share)
        {
            lock (_lock)
            {
                var ordered = _milliseconds.Order().ToList();
                return ordered.Count == 0 ? double.NaN : ordered[(int)Math.Ceiling(share * ordered.Count) - 1];
            }
        }

        public override string ToString() =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{name}: {_milliseconds.Count} requests, p50 {At(0.5):F1} ms, p99 {At(0.99):F1} ms, max {At(1):F1} ms"
            );

        private sealed class Measurement(Latencies latencies) : IDisposable
        {
            private readonly long _started = System.Diagnostics.Stopwatch.GetTimestamp();

            public void Dispose()
            {
                var taken = System.Diagnostics.Stopwatch.GetElapsedTime(_started).TotalMilliseconds;
                lock (latencies._lock)
                {
                    latencies._milliseconds.Add(taken);
                }
            }
        }
    }
}
