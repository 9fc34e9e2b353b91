using Distributed.ServiceDefaults;
using Distributed.TestServers;

namespace Distributed.Standalone.Tests;

public sealed class ServiceSettingsTests
{
    [Theory]
    [InlineData("AdminApi", "Api__Keys=some", "Api__Keys is 'some'; it must be required or loopback.")]
    [InlineData("Training", "Training__Threads=abc", "Training__Threads is 'abc'; it must be a whole number from 0 to 1024.")]
    [InlineData("Training", "Training__Device=tpu", "Training__Device is 'tpu'; it must be auto, cpu, cuda or cuda:N.")]
    [InlineData("Training", "Training__Devise=cpu", "Training__Devise is no setting; did you mean Training__Device?")]
    [InlineData("Ingestion", "Ingestion__AllowPrivateAddresses=1", "Ingestion__AllowPrivateAddresses is '1'; it must be true or false.")]
    [InlineData("Evaluation", "Jobs__Queued=1 000", "Jobs__Queued is '1 000'")]
    public async Task A_host_that_is_set_up_wrongly_says_all_of_it_and_ends_with_status_2(string service, string setting, string said)
    {
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll(service),
            [],
            new Dictionary<string, string?>
            {
                [setting.Split('=')[0]] = setting.Split('=')[1],
                ["ConnectionStrings__RabbitMq"] = "in-memory",
            }
        );

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());

        Assert.Equal(3, host.Lines.Count);
        Assert.All(host.Lines, line => Assert.StartsWith("error: ", line));
        foreach (var part in new[] { "error: ConnectionStrings__Catalog is not set", "error: Volume__Root is not set", $"error: {said}" })
        {
            Assert.Contains(host.Lines, line => line.StartsWith(part, StringComparison.Ordinal));
        }
    }
}
