using System.Net;
using Distributed.TestServers;
using Npgsql;

namespace Distributed.AdminApi.Tests;

/// <summary>What a host says of connections that fail; a system that works is in LeastPrivilegeTests.</summary>
public sealed class SecretTests : IDisposable
{
    private const string Secret = "hunter2-7f3b";
    private readonly DirectoryInfo _volume = Directory.CreateTempSubdirectory("admin-secrets-");

    public void Dispose() => _volume.Delete(recursive: true);

    [Fact]
    public async Task A_host_whose_servers_are_away_waits_and_names_no_password_wherever_one_looks()
    {
        var port = FreePort.Next();
        await using var host = Start(
            $"Host=127.0.0.1;Port={FreePort.Next()};Database=none;Username=none;Password={Secret}",
            $"amqp://someone:{Secret}@127.0.0.1:{FreePort.Next()}/",
            port
        );
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await host.WaitForLineAsync(line => line.Contains("database cannot be reached", StringComparison.Ordinal));
        await host.WaitForLineAsync(line => line.Contains("broker cannot be reached", StringComparison.Ordinal));
        using var ready = await client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using var runs = await client.GetAsync("/api/v1/runs");
        await AdminServer.ProblemAsync(runs, HttpStatusCode.ServiceUnavailable);

        Assert.DoesNotContain(Secret, await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, await runs.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, await client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Contains(host.Lines, line => line.Contains(" debug MassTransit", StringComparison.Ordinal));
        Assert.DoesNotContain(host.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_password_that_the_database_refuses_is_not_shown()
    {
        var catalog = new NpgsqlConnectionStringBuilder(TestEnvironment.PostgresConnectionString) { Password = Secret };
        await using var host = Start(catalog.ConnectionString, "in-memory", FreePort.Next());

        await host.WaitForLineAsync(line => line.Contains("password authentication failed", StringComparison.Ordinal));

        Assert.DoesNotContain(host.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData($"Host=127.0.0.1;Password=a;{Secret}=b;Username=c", "in-memory", "ConnectionStrings__Catalog is malformed")]
    [InlineData($"Host=127.0.0.1;Password=a;{Secret}", "in-memory", "ConnectionStrings__Catalog is malformed")]
    [InlineData("Data Source=catalog.db", $"amqp://user:{Secret}@host:port/", "ConnectionStrings__RabbitMq is malformed")]
    [InlineData("Data Source=catalog.db", $"amqp://{Secret}@127.0.0.1/", "names no user and password")]
    public async Task A_malformed_connection_string_is_told_without_what_it_holds(string catalog, string broker, string message)
    {
        await using var host = Start(catalog, broker, FreePort.Next());

        Assert.NotEqual(0, await host.WaitForExitAsync());
        Assert.Contains(host.Lines, line => line.Contains(message, StringComparison.Ordinal));
        Assert.DoesNotContain(host.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    private HostProcess Start(string catalog, string broker, int port) =>
        HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            environment: new Dictionary<string, string?>
            {
                ["ConnectionStrings__Catalog"] = catalog,
                ["ConnectionStrings__RabbitMq"] = broker,
                ["Volume__Root"] = _volume.FullName,
                ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
                ["Api__Keys"] = "loopback",
                ["Logging__LogLevel__Default"] = "Debug",
                ["Logging__LogLevel__MassTransit"] = "Debug",
            }
        );
}
