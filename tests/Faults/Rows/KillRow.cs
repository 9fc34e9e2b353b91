using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>A random service is killed every few seconds, under waves of runs that go through all stages.</summary>
/// <param name="name">What the command line calls the row.</param>
/// <param name="isPublished">Whether the hosts are those that the images have (<see cref="Publication"/>), rather than the build's.</param>
internal sealed class KillRow(string name, bool isPublished) : IFaultRow
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    public string Name => name;

    public async Task RunAsync(FaultLab lab)
    {
        var programs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var service in Cluster.Services)
        {
            programs[service] = isPublished ? await lab.Publication.ProgramAsync(service) : TestEnvironment.ServiceDll(service);
        }

        var twins = await lab.Workload.TwinsAsync(lab);
        var last = lab.Elapsed + lab.Length;
        for (var wave = 1; lab.Elapsed < last; wave++)
        {
            // Each wave has an empty catalog, so that all is to be done anew.
            await using var cluster = await lab.StartClusterAsync(
                lab.Workload.Settings,
                cluster =>
                {
                    cluster.Programs = service => programs[service];
                    return Task.CompletedTask;
                }
            );
            using var end = new CancellationTokenSource(last > lab.Elapsed ? last - lab.Elapsed : TimeSpan.Zero);
            var killing = Hosts.KillAsync(lab, cluster, end.Token);
            var runs = await RunChecks.SubmitAsync(cluster, lab.Workload.Requests());
            await RunChecks.WaitAsync(lab, cluster, runs.Count, Patience);
            await end.CancelAsync();
            await killing;
            Hosts.TellOfEnded(lab, cluster);
            var cut = await cluster.QueryAsync<long>("select count(*) from attempts where outcome is null");
            lab.Say($"wave {wave}: {cut} attempts were cut off, {lab.Injected} kills so far");
            await RunChecks.CheckAsync(lab, cluster, runs, twins);
            var skipped = await cluster.QueryAsync<long>("select coalesce(sum(skipped_count), 0)::bigint from ingestions");
            lab.Check(skipped == 0, $"{skipped} images were skipped, and all of them are good");
        }
    }
}
