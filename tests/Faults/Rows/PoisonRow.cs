using Distributed.TestServers;
using FragileHost = Distributed.FragileIngestion.Program;

namespace Distributed.Faults.Rows;

/// <summary>A job that always kills its worker: its run fails as poisoned within a minute, and the runs beside it are never charged for it.</summary>
internal sealed class PoisonRow : IFaultRow
{
    private const int Healthy = 5;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public string Name => "poison";

    public async Task RunAsync(FaultLab lab)
    {
        var workload = lab.Workload;
        var poisoned = Path.Combine(workload.Root, "poisoned");
        Workload.WritePictures(poisoned, seed: 99);
        await File.WriteAllBytesAsync(Path.Combine(poisoned, "class0", "fatal.png"), FragileHost.Fatal.ToArray());
        var requests = workload.Requests(Healthy);
        var twins = (await workload.TwinsAsync(lab))[..Healthy];

        await using var cluster = await lab.StartClusterAsync(workload.Settings);
        await cluster.KillAsync("Ingestion");
        using var end = new CancellationTokenSource();
        var hosts = KeepUpAsync(lab, cluster, end.Token);
        var begun = lab.Elapsed;
        var poison = await RunChecks.SubmitAsync(
            cluster,
            new RunRequest(
                "poison",
                new
                {
                    dataset = poisoned,
                    inputSize = 32,
                    precision = "fp32",
                }
            )
        );
        var runs = await RunChecks.SubmitAsync(cluster, requests);
        lab.Expect(1);

        var state = await cluster.WaitAsync(
            "the poisoned run to end",
            () => cluster.QueryAsync<string>($"select state || ': ' || coalesce(failure, '') from runs where id = '{poison}'"),
            text => text.StartsWith("Failed", StringComparison.Ordinal) || text.StartsWith("Completed", StringComparison.Ordinal)
        );
        var taken = lab.Elapsed - begun;
        lab.Say($"after {taken.TotalSeconds:F0} s the poisoned run is {state}");
        lab.Check(state.Contains("was attempted 5 times without progress", StringComparison.Ordinal), $"the poisoned run is {state}");
        lab.Check(taken < Limit, $"the poisoned run took {taken}");

        await RunChecks.WaitAsync(lab, cluster, runs.Count + 1, TimeSpan.FromMinutes(3));
        await end.CancelAsync();
        lab.Check(await hosts == 5, $"{await hosts} hosts died, and not 5");
        await RunChecks.CheckAsync(lab, cluster, runs, twins);
        var charged = await cluster.QueryAsync<long>(
            $"""
            select count(*) from jobs u join run_dependencies d on d.scope = u.scope
            where d.run_id <> '{poison}' and (u.attempts <> 1 or exists (select 1 from attempts a where a.job_id = u.id and a.outcome is distinct from 'Done'))
            """
        );
        lab.Check(charged == 0, $"{charged} jobs of healthy runs were charged for the death of a host");
    }

    /// <summary>Starts the host again whenever it has died, as an orchestrator does.</summary>
    /// <returns>How often it died.</returns>
    private static async Task<int> KeepUpAsync(FaultLab lab, Cluster cluster, CancellationToken cancellationToken)
    {
        for (var deaths = 0; ; deaths++)
        {
            var host = cluster.StartProgram("Ingestion", null, typeof(FragileHost).Assembly.Location, "serve");
            try
            {
                await host.WaitForExitAsync(TimeSpan.FromMinutes(10), cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return deaths;
            }

            lab.Inject();
            lab.Say($"host {host.Id} ended with {host.ExitCode}");
            await cluster.ForgetAsync("Ingestion");
        }
    }
}
