using Distributed.Jobs;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>A trainer is frozen in a job until another has done it, and goes on then: what it writes late is refused.</summary>
internal sealed class PauseRow : IFaultRow
{
    public string Name => "pause";

    public async Task RunAsync(FaultLab lab)
    {
        var requests = Enumerable.Range(0, 5).Select(Workload.Alone).ToList();
        var twins = await RunChecks.UndisturbedAsync(lab, lab.Workload.Settings, requests);

        // Where the lease is short, the watchdog gives the job to another; where it is as shipped, the broker is first, which misses the heartbeat.
        await RunAsync(
            lab,
            new Dictionary<string, string?>(lab.Workload.Settings) { ["Jobs__Lease"] = "00:00:03" },
            requests[..3],
            twins.Take(3).ToList()
        );
        await RunAsync(lab, lab.Workload.Settings, requests[3..], twins.Skip(3).ToList());
    }

    private static async Task RunAsync(
        FaultLab lab,
        IReadOnlyDictionary<string, string?> settings,
        IReadOnlyList<RunRequest> requests,
        IReadOnlyList<RunResult> twins
    )
    {
        await using var cluster = await lab.StartClusterAsync(settings);
        cluster.Start("Training", "second trainer");
        var runs = new List<Guid>();
        for (var index = 0; index < requests.Count; index++)
        {
            var kind = index % 2 == 0 ? "TrainHead" : "ExtractFeatures";
            runs.Add(await RunChecks.SubmitAsync(cluster, requests[index]));
            var (frozen, attempt) = await FreezeInAsync(cluster, kind);
            lab.Inject();
            var since = lab.Elapsed;
            await cluster.WaitAsync(
                $"the {kind} to be done by the other trainer",
                () =>
                    cluster.QueryAsync<long>(
                        $"select count(*) from jobs u join attempts a on a.job_id = u.id where a.token = '{attempt}' and u.attempt <> '{attempt}' and u.state = 'Done'"
                    ),
                count => count == 1
            );
            lab.Say($"{kind} was done by the other trainer {(lab.Elapsed - since).TotalSeconds:F0} s after this one froze");
            frozen.Continue();
            var outcome = await cluster.WaitAsync(
                "the late trainer to tell how its attempt ended",
                () => cluster.QueryAsync<string>($"select coalesce((select outcome from attempts where token = '{attempt}'), '')"),
                text => text.Length > 0
            );
            lab.Check(outcome == "Lost", $"the late trainer's attempt ended with: {outcome}");
            var taken = await cluster.QueryAsync<long>(
                $"""
                select (select count(*) from feature_shards where file_path like '%{attempt:N}%') + (select count(*) from checkpoints where file_path like '%{attempt:N}%')
                """
            );
            if (taken > 0)
            {
                lab.CountDoubled($"the catalog names {taken} files of the late trainer");
            }
        }

        await RunChecks.WaitAsync(lab, cluster, runs.Count, TimeSpan.FromMinutes(3));
        await RunChecks.CheckAsync(lab, cluster, runs, twins);
    }

    private static async Task<(HostProcess Host, Guid Attempt)> FreezeInAsync(Cluster cluster, string kind)
    {
        while (true)
        {
            // Not the first of its kind, so that there is something to lose.
            var (attempt, worker) = await cluster.WaitAsync(
                $"a job of {kind} to run",
                async () =>
                    await cluster.ReadAsync(
                        $"select a.token, a.worker from jobs u join attempts a on a.token = u.attempt where u.kind = '{kind}' and u.state = 'Running' and u.step > 0 limit 1",
                        row => (Token: row.GetGuid(0), Worker: row.GetString(1))
                    )
                        is [var job, ..]
                        ? job
                        : default,
                job => job.Token != Guid.Empty
            );
            var host = cluster.Hosts.Values.Single(host => worker.EndsWith($"/{host.Id}", StringComparison.Ordinal));
            host.Pause();
            if (await cluster.QueryAsync<long>($"select count(*) from jobs where attempt = '{attempt}' and state = 'Running'") == 1)
            {
                return (host, attempt);
            }

            // It was committed in the moment before: it goes on, and the next one is tried.
            host.Continue();
        }
    }
}
