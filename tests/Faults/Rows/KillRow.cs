namespace Distributed.Faults.Rows;

/// <summary>A random service is killed every few seconds, under waves of runs that go through all stages.</summary>
internal sealed class KillRow : IFaultRow
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    public string Name => "kill";

    public async Task RunAsync(FaultLab lab)
    {
        var twins = await lab.Workload.TwinsAsync(lab);
        var last = lab.Elapsed + lab.Length;
        for (var wave = 1; lab.Elapsed < last; wave++)
        {
            // Each wave has an empty catalog, so that all is to be done anew.
            await using var cluster = await lab.StartClusterAsync(lab.Workload.Settings);
            using var end = new CancellationTokenSource(last > lab.Elapsed ? last - lab.Elapsed : TimeSpan.Zero);
            var killing = Hosts.KillAsync(lab, cluster, end.Token);
            var runs = await Trial.SubmitAsync(cluster, lab.Workload.Requests());
            await Trial.WaitAsync(lab, cluster, runs.Count, Patience);
            await end.CancelAsync();
            await killing;
            Hosts.TellOfEnded(lab, cluster);
            var cut = await cluster.QueryAsync<long>("select count(*) from attempts where outcome is null");
            lab.Say($"wave {wave}: {cut} attempts were cut off, {lab.Injected} kills so far");
            await Trial.CheckAsync(lab, cluster, runs, twins);
        }
    }
}
