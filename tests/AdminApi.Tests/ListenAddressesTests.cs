using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Distributed.ServiceDefaults;
using Distributed.TestServers;

namespace Distributed.AdminApi.Tests;

public sealed class ListenAddressesTests : IDisposable
{
    private readonly TcpListener _other = new(IPAddress.Loopback, 0);

    public ListenAddressesTests() => _other.Start();

    public void Dispose() => _other.Dispose();

    [Theory]
    [InlineData("--urls", "http://127.0.0.1:{0}")]
    [InlineData("--urls", "http://localhost:{0}")]
    [InlineData("--urls", "http://*:{0}")]
    [InlineData("--urls", "http://any.example:{0}")]
    [InlineData("--urls", "http://0.0.0.0:{0}")]
    [InlineData("--urls", "http://127.0.0.1:0;http://127.0.0.1:{0}")]
    [InlineData("--http_ports", "0;{0}")]
    public void An_address_that_is_in_use_is_named(string key, string value)
    {
        var port = ((IPEndPoint)_other.LocalEndpoint).Port;

        var error = Assert.Single(Find($"{key}={string.Format(CultureInfo.InvariantCulture, value, port)}"));

        Assert.StartsWith("Nothing can listen on http://", error, StringComparison.Ordinal);
        Assert.Contains($":{port}: Address already in use.", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--urls=http://127.0.0.1:{0}")]
    [InlineData("--urls=http://localhost:{0};http://[::1]:0")]
    [InlineData("--urls=http://*:{0}")]
    [InlineData("--http_ports={0}")]
    [InlineData("--urls=http://127.0.0.1:0;http://127.0.0.1:{0} --Metrics:Port={0}")]
    [InlineData("--http_ports=0;{0} --Metrics:Port={0}")]
    // Addresses go before ports.
    [InlineData("--urls=http://127.0.0.1:{0} --http_ports=1")]
    public void Addresses_that_can_be_had_are_no_error(string arguments) =>
        Assert.Empty(Find(string.Format(CultureInfo.InvariantCulture, arguments, FreePort.Next()).Split(' ')));

    [Fact]
    public void An_address_of_another_machine_is_named() =>
        Assert.StartsWith(
            "Nothing can listen on http://192.0.2.1:9: ",
            Assert.Single(Find("--urls=http://192.0.2.1:9")),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_port_for_metrics_at_which_nothing_listens_is_named() =>
        Assert.StartsWith(
            "Metrics__Port is 19, where this host does not listen.",
            Assert.Single(Find("--urls=http://127.0.0.1:0", "--Metrics:Port=19")),
            StringComparison.Ordinal
        );

    [Fact]
    public async Task A_service_whose_address_is_in_use_ends_with_that_one_line()
    {
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            [
                "--urls",
                $"http://{_other.LocalEndpoint}",
                "--ConnectionStrings:Catalog",
                "Data Source=none.db",
                "--ConnectionStrings:RabbitMq",
                "in-memory",
                "--Volume:Root",
                "none",
            ]
        );

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());
        Assert.StartsWith(
            $"error: Nothing can listen on http://{_other.LocalEndpoint}",
            Assert.Single(host.Lines),
            StringComparison.Ordinal
        );
    }

    private static IReadOnlyList<string> Find(params string[] arguments) =>
        ListenAddresses.FindErrors(ServiceHost.CreateBuilder(arguments, defaultPort: 0));
}
