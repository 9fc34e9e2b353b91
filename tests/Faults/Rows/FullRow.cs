using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>The volume becomes full in the middle of a file, or read-only: runs wait with the cause by name, and complete when it is mended.</summary>
internal sealed class FullRow : IFaultRow
{
    /// <summary>Less than a shard or a checkpoint, so that their files come to be half written.</summary>
    private const int Left = 48 << 10;

    private static readonly (string Outage, string Kind, string Cause)[] Outages =
    [
        ("full", "ExtractFeatures", "No space left on device"),
        ("full", "TrainHead", "No space left on device"),
        ("full", "PackImages", "No space left on device"),
        ("read-only", "ExtractFeatures", "Read-only file system"),
        ("read-only", "TrainHead", "Read-only file system"),
    ];

    public string Name => "full";

    public async Task RunAsync(FaultLab lab)
    {
        using var mount =
            await TemporaryMount.TryCreateAsync()
            ?? throw new InvalidOperationException("This user may not mount a file system: run this as root, with the right to mount.");
        var requests = Enumerable.Range(0, Outages.Length).Select(Workload.Alone).ToList();
        var twins = await RunChecks.UndisturbedAsync(lab, lab.Workload.Settings, requests);
        await using var cluster = await lab.StartClusterAsync(lab.Workload.Settings, volume: mount.Path);
        var runs = new List<Guid>();
        foreach (var (outage, kind, cause) in Outages)
        {
            var run = await RunChecks.SubmitAsync(cluster, requests[runs.Count]);
            runs.Add(run);
            await cluster.WaitAsync(
                $"a job of {kind} to be done",
                () =>
                    cluster.QueryAsync<bool>(
                        $"select exists (select 1 from jobs u join run_dependencies d on d.scope = u.scope where d.run_id = '{run}' and u.kind = '{kind}' and u.state = 'Done')"
                    ),
                isDone => isDone
            );
            await using (await mount.BreakAsync(outage, Left))
            {
                lab.Inject();
                var waiting = await cluster.WaitAsync(
                    "the run to tell what it waits for",
                    () => WaitingAsync(cluster, run),
                    text => text is not null
                );
                lab.Check(waiting!.Contains(cause, StringComparison.Ordinal), $"{outage} in {kind}: the run waits for: {waiting}");
                lab.Say($"{outage} in {kind}: the run waits for: {waiting}");
            }

            await cluster.WaitForCompletionAsync(run);
        }

        await RunChecks.CheckAsync(lab, cluster, runs, twins);
        var halves = Directory.EnumerateFiles(mount.Path, "*.partial", SearchOption.AllDirectories).ToList();
        lab.Check(halves.Count == 0, $"half a file is left: {string.Join(' ', halves)}");
    }

    private static async Task<string?> WaitingAsync(Cluster cluster, Guid run) =>
        (await cluster.GetAsync($"/api/v1/runs/{run}")).TryGetProperty("waiting", out var waiting)
        && waiting.ValueKind == JsonValueKind.String
            ? waiting.GetString()
            : null;
}
