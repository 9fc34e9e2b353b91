using Distributed.Jobs;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Distributed.Messaging.Tests;

public sealed class FailFastTests
{
    [Fact]
    public async Task A_host_that_has_withdrawn_is_not_ready_and_says_why()
    {
        var exitCode = Environment.ExitCode;
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["ConnectionStrings:Catalog"] = "Data Source=:memory:",
                ["ConnectionStrings:RabbitMq"] = TestHost.InMemory,
                ["Volume:Root"] = Path.GetTempPath(),
            }
        );
        builder.AddServiceDefaults("test", new ConsumerSet());
        using var host = builder.Build();
        try
        {
            Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);

            host.Services.GetRequiredService<FailFast>().End("The queue train-head has had no consumer.");

            var check = await CheckAsync();
            Assert.Equal(HealthStatus.Unhealthy, check.Status);
            Assert.Equal("The queue train-head has had no consumer.", check.Description);
            Assert.Contains("ready", check.Tags);
        }
        finally
        {
            Environment.ExitCode = exitCode;
        }

        async Task<HealthReportEntry> CheckAsync()
        {
            var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Name == "worker");
            return report.Entries["worker"];
        }
    }
}
