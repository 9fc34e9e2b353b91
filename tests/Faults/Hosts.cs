using Distributed.TestServers;

namespace Distributed.Faults;

/// <summary>What an orchestrator does for the hosts, and what harms them.</summary>
internal static class Hosts
{
    /// <summary>What a host says that ends because it hears nothing from the broker any more.</summary>
    private static readonly string[] Deaf = [" has had no consumer for ", " has not been able to declare its queues and consume for "];

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    /// <summary>Kills a random service every few seconds and starts it again at once.</summary>
    public static async Task KillAsync(FaultLab lab, Cluster cluster, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2000 + lab.Next(3000)), end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (end.IsCancellationRequested)
            {
                return;
            }

            var service = Cluster.Services[lab.Next(Cluster.Services.Count)];
            await StartEndedAsync(lab, cluster);
            await cluster.KillAsync(service);
            lab.Inject();
            cluster.Start(service);
        }
    }

    /// <summary>Starts hosts again that have ended by themselves.</summary>
    public static async Task KeepUpAsync(FaultLab lab, Cluster cluster, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            await StartEndedAsync(lab, cluster);
            await Task.Delay(Look, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Counts hosts that have ended by themselves as wrong, unless they say that they lost a consumer.</summary>
    /// <returns>Their names.</returns>
    public static IReadOnlyList<string> TellOfEnded(FaultLab lab, Cluster cluster)
    {
        var ended = cluster.Hosts.Where(host => host.Value.HasExited).ToList();
        foreach (var (name, host) in ended)
        {
            if (
                host.ExitCode == 1
                && host.Lines.FirstOrDefault(line => Deaf.Any(words => line.Contains(words, StringComparison.Ordinal))) is { } reason
            )
            {
                lab.Note($"{name} ended to be started anew: {reason}");
                continue;
            }

            lab.CountWrong($"{name} ended by itself with {host.ExitCode}: {string.Join(" | ", host.Lines.TakeLast(6))}");
        }

        return [.. ended.Select(host => host.Key)];
    }

    private static async Task StartEndedAsync(FaultLab lab, Cluster cluster)
    {
        foreach (var name in TellOfEnded(lab, cluster))
        {
            await cluster.ForgetAsync(name);
            cluster.Start(name);
        }
    }
}
