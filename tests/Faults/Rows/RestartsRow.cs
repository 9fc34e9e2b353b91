namespace Distributed.Faults.Rows;

/// <summary>Broker and database are ended and started again under runs, orderly and as by a power cut in turn.</summary>
internal sealed class RestartsRow : IFaultRow
{
    private const int OfEach = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    public string Name => "restarts";

    public async Task RunAsync(FaultLab lab)
    {
        var twins = await lab.Workload.TwinsAsync(lab);
        for (var wave = 1; lab.Injected < 2 * OfEach; wave++)
        {
            await using var cluster = await lab.StartClusterAsync(lab.Workload.Settings);
            using var end = new CancellationTokenSource();
            var keeping = Hosts.KeepUpAsync(lab, cluster, end.Token);
            var restarting = RestartAsync(lab, end.Token);
            var runs = await RunChecks.SubmitAsync(cluster, lab.Workload.Requests());
            await RunChecks.WaitAsync(lab, cluster, runs.Count, Patience);
            await end.CancelAsync();
            await Task.WhenAll(restarting, keeping);
            lab.Say($"wave {wave}: {lab.Injected} restarts so far");
            await RunChecks.CheckAsync(lab, cluster, runs, twins);
        }
    }

    private static async Task RestartAsync(FaultLab lab, CancellationToken end)
    {
        while (lab.Injected < 2 * OfEach)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1500 + lab.Next(3000)), end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (end.IsCancellationRequested)
            {
                return;
            }

            // Broker, database, broker, database; both orderly, both killed.
            var (isBroker, kill) = (lab.Injected % 2 == 0, lab.Injected / 2 % 2 == 1);
            await (isBroker ? lab.Servers.RestartBrokerAsync(kill) : lab.Servers.RestartDatabaseAsync(kill));
            lab.Inject();
        }
    }
}
