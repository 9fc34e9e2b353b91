using Distributed.TestServers;

namespace Distributed.System.Tests;

public sealed class MisconfiguredHostTests
{
    [Fact]
    public async Task Workers_whose_device_is_not_there_end_with_a_line_that_names_the_setting_and_the_run_beside_them_completes()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        var runId = await cluster.SubmitAsync(SampleRun.Train(epochs: 10));
        foreach (var device in (string[])["cuda", "tpu"])
        {
            cluster.Configure(device, new Dictionary<string, string?> { ["Training__Device"] = device });
            var host = cluster.Start("Training", device);

            Assert.Equal(2, await host.WaitForExitAsync(TimeSpan.FromMinutes(1)));

            var line = Assert.Single(host.Lines, line => line.Contains("Training__Device", StringComparison.Ordinal));
            Assert.Contains(device, line, StringComparison.Ordinal);
            Assert.DoesNotContain(host.Lines, line => line.TrimStart().StartsWith("at ", StringComparison.Ordinal));
        }

        await cluster.WaitForCompletionAsync(runId);
        Assert.Equal(0, await cluster.QueryAsync<long>("select count(*) from attempts where outcome is distinct from 'Done'"));
    }
}
