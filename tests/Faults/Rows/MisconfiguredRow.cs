using System.Net;
using Distributed.TestServers;

namespace Distributed.Faults.Rows;

/// <summary>
/// Beside one healthy host of each service there are hosts that cannot work, each for another reason, and each started again whenever
/// it ends. None of them may take a job, fail a run or have an image skipped.
/// </summary>
internal sealed class MisconfiguredRow : IFaultRow
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    /// <summary>What an orchestrator waits before it starts a host that ends at once again. All of them together must leave the healthy ones a processor.</summary>
    private static readonly TimeSpan BackOff = TimeSpan.FromSeconds(30);

    public string Name => "misconfigured";

    public async Task RunAsync(FaultLab lab)
    {
        await using var places = await WrongPlaces.CreateAsync(lab);
        List<BadHost> hosts = [.. await BadHosts.CreateAsync(lab), .. places.Hosts];
        var twins = await lab.Workload.TwinsAsync(lab);
        await using var cluster = await lab.StartClusterAsync(lab.Workload.Settings);
        using var end = new CancellationTokenSource();
        var bad = hosts.Select(host => KeepUpAsync(lab, cluster, host, end.Token)).ToList();

        var runs = await RunChecks.SubmitAsync(cluster, lab.Workload.Requests());
        await RunChecks.WaitAsync(lab, cluster, runs.Count, Patience);
        await end.CancelAsync();
        foreach (var (host, times) in hosts.Zip(await Task.WhenAll(bad)))
        {
            lab.Say($"{host.Name}: {times} starts");
            lab.Check(times > 0, $"{host.Name} was not there to do harm");
        }

        await RunChecks.CheckAsync(lab, cluster, runs, twins);
        await CheckUnharmedAsync(lab, cluster);
    }

    private static async Task CheckUnharmedAsync(FaultLab lab, Cluster cluster)
    {
        var charged = await cluster.QueryAsync<long>(
            "select count(*) from jobs u where u.attempts <> 1 or exists (select 1 from attempts a where a.job_id = u.id and a.outcome is distinct from 'Done')"
        );
        lab.Check(charged == 0, $"{charged} jobs were charged for a host that cannot work");
        var skipped = await cluster.QueryAsync<long>("select coalesce(sum(skipped_count), 0)::bigint from ingestions");
        lab.Check(skipped == 0, $"{skipped} images were skipped, and all of them are good");
    }

    /// <summary>Starts a host again whenever it has ended, as an orchestrator does, and checks how it ends or waits.</summary>
    /// <returns>How often it was started and did what it should.</returns>
    private static async Task<int> KeepUpAsync(FaultLab lab, Cluster cluster, BadHost bad, CancellationToken end)
    {
        cluster.Configure(bad.Name, bad.Settings);
        for (var times = 0; ; times++)
        {
            var host = cluster.StartProgram(bad.Service, bad.Name, bad.Program);
            try
            {
                if (bad.Status is { } status)
                {
                    var ended = await host.WaitForExitAsync(TimeSpan.FromMinutes(2), end);
                    lab.Check(ended == status, $"{bad.Name} ended with {ended}, and not {status}");
                    lab.Check(
                        host.Lines.Any(line => line.Contains(bad.Says, StringComparison.Ordinal)),
                        $"{bad.Name} does not say '{bad.Says}': {string.Join(" | ", host.Lines.TakeLast(4))}"
                    );
                }
                else
                {
                    await WaitAsync(lab, cluster, bad, host, end);
                    times++;
                }

                lab.Inject();
                await CheckIdleAsync(lab, cluster, bad, host);
                await Task.Delay(BackOff, end);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                return times + (host.HasExited ? 1 : 0);
            }
            finally
            {
                await cluster.ForgetAsync(bad.Name);
            }
        }
    }

    /// <summary>It must come to say why it waits, and then go on waiting until the end.</summary>
    private static async Task WaitAsync(FaultLab lab, Cluster cluster, BadHost bad, HostProcess host, CancellationToken end)
    {
        await host.WaitForLineAsync(
            line => line.Contains("Now listening on", StringComparison.Ordinal),
            TimeSpan.FromMinutes(2),
            cancellationToken: end
        );
        await cluster.WaitAsync(
            $"{bad.Name} to say why it waits",
            () => cluster.HealthAsync(bad.Name, "ready"),
            health => health.Body.Contains(bad.Says, StringComparison.Ordinal)
        );
        await Task.Delay(Timeout.Infinite, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lab.Check(!host.HasExited, $"{bad.Name} has ended instead of waiting: {string.Join(" | ", host.Lines.TakeLast(4))}");
        var (readiness, body) = await cluster.HealthAsync(bad.Name, "ready");
        lab.Check(
            readiness == HttpStatusCode.ServiceUnavailable && body.Contains(bad.Says, StringComparison.Ordinal),
            $"{bad.Name} is ready: {body}"
        );
    }

    private static async Task CheckIdleAsync(FaultLab lab, Cluster cluster, BadHost bad, HostProcess host)
    {
        var taken = await cluster.QueryAsync<long>($"select count(*) from attempts where worker like '%/{host.Id}'");
        lab.Check(taken == 0, $"{bad.Name} has taken {taken} jobs");
    }
}
