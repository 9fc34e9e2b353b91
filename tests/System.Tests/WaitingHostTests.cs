using System.Net;
using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class WaitingHostTests
{
    [Fact]
    public async Task Hosts_whose_AdminApi_has_not_started_wait_for_it_say_so_once_and_then_work()
    {
        RestrictedUsers? users = null;
        // The hosts' users may neither begin a volume nor declare others' queues.
        var cluster = await Cluster.CreateAsync(SampleRun.Settings, async made => users = await RestrictedUsers.CreateAsync(made));
        await using (cluster)
        await using (users)
        {
            string[] workers = ["Ingestion", "Training", "Evaluation"];
            foreach (var worker in workers)
            {
                cluster.Start(worker);
            }

            foreach (var worker in workers)
            {
                await cluster.Host(worker).WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal));
                foreach (var words in (string[])["AdminApi declares all of them", "AdminApi begins it"])
                {
                    await cluster.WaitAsync(
                        $"{worker} to say {words}",
                        () => cluster.HealthAsync(worker, "ready"),
                        health =>
                            health.Status == HttpStatusCode.ServiceUnavailable && health.Body.Contains(words, StringComparison.Ordinal)
                    );
                    await cluster.Host(worker).WaitForLineAsync(line => line.Contains(words, StringComparison.Ordinal));
                }
            }

            Assert.False(File.Exists(Path.Combine(cluster.Volume, ".volume")));
            cluster.Start("AdminApi");
            foreach (var worker in workers)
            {
                await cluster.WaitAsync(
                    $"{worker} to be ready",
                    async () => (await cluster.HealthAsync(worker, "ready")).Status,
                    status => status == HttpStatusCode.OK
                );
                Assert.Single(cluster.Host(worker).Lines, line => line.Contains("AdminApi declares all of them", StringComparison.Ordinal));
                Assert.Single(cluster.Host(worker).Lines, line => line.Contains("AdminApi begins it", StringComparison.Ordinal));
            }

            await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(new { precision = "fp32" }));
        }
    }
}
