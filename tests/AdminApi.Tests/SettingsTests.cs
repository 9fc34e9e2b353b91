using Distributed.ServiceDefaults;
using Distributed.TestServers;
using Microsoft.Extensions.Configuration;

namespace Distributed.AdminApi.Tests;

public sealed class SettingsTests
{
    private static readonly (string Key, string Value)[] Needed =
    [
        ("ConnectionStrings:Catalog", "Data Source=catalog.db"),
        ("ConnectionStrings:RabbitMq", "in-memory"),
        ("Volume:Root", "volume"),
    ];

    [Fact]
    public void What_is_set_as_it_must_be_is_no_error() =>
        Assert.Empty(
            Find([
                .. Needed,
                ("Api:Keys", "Loopback"),
                ("Api:RequestsPerSecond", "5"),
                ("Retention:Interval", "00:00:01"),
                ("Retention:Features", ""),
                ("Retention:FeatureBytes", "5000000000"),
                ("Catalog:Migrate", "False"),
                ("Data:Roots:0", "/data"),
                ("Jobs:Lease", "00:00:03"),
                ("Jobs:Heartbeat", "00:00:00.500"),
                ("Logging:Format", "JSON"),
                ("Logging:LogLevel:MassTransit", "Debug"),
                ("ConnectionStrings:SomebodyElses", "x"),
                ("Training:Devise", "another host's"),
                ("Volumes", "another program's"),
                ("urls", "http://127.0.0.1:0;http://[::1]:8080"),
            ])
        );

    [Fact]
    public void Everything_that_is_missing_is_named_at_once_as_the_variable_that_sets_it()
    {
        var errors = Find();

        Assert.Equal(
            ["ConnectionStrings__Catalog", "ConnectionStrings__RabbitMq", "Volume__Root"],
            errors.Select(error => error.Split(' ')[0])
        );
        Assert.All(errors, error => Assert.Contains("is not set; give ", error));
    }

    [Theory]
    [InlineData("Api:RequestsPerSecond", "1,000", "Api__RequestsPerSecond is '1,000'; it must be a whole number from 1 to 1000000.")]
    [InlineData("Api:RequestsPerSecond", " 7", "Api__RequestsPerSecond is ' 7'; it must be a whole number from 1 to 1000000.")]
    [InlineData("Api:RequestsPerSecond", "0x10", "Api__RequestsPerSecond is '0x10'")]
    [InlineData("Api:RequestsPerSecond", "0", "Api__RequestsPerSecond is '0'")]
    [InlineData("Api:RequestsPerSecond", "99999999999999999999", "a whole number from 1 to 1000000.")]
    [InlineData("Api:RequestsPerSecond", "", "Api__RequestsPerSecond is empty; it must be a whole number")]
    [InlineData("Api:Keys", "none", "Api__Keys is 'none'; it must be required or loopback.")]
    [InlineData("Api:Keys", "1", "Api__Keys is '1'")]
    [InlineData("Api:Key", "loopback", "Api__Key is no setting; did you mean Api__Keys?")]
    [InlineData(
        "Api:Colour",
        "red",
        "Api__Colour is no setting; known are Api__Keys, Api__RequestsPerSecond, Api__AnonymousRequestsPerSecond."
    )]
    [InlineData("Api:Keys:0", "loopback", "Api__Keys__0 is no setting")]
    [InlineData("Apis:Keys", "loopback", "Apis__Keys is no setting; did you mean Api__Keys?")]
    [InlineData("Api_Keys", "loopback", "Api_Keys is no setting; did you mean Api__Keys?")]
    [InlineData(
        "Retention:Interval",
        "10",
        "Retention__Interval is '10'; it must be a time as [days.]hours:minutes:seconds from 00:00:01 to 30.00:00:00."
    )]
    [InlineData("Retention:Interval", "31.00:00:00", "Retention__Interval is '31.00:00:00'")]
    [InlineData("Retention:FeatureBytes", "5 GB", "Retention__FeatureBytes is '5 GB'; it must be a whole number of at least 0.")]
    [InlineData("Catalog:Migrate", "yes", "Catalog__Migrate is 'yes'; it must be true or false.")]
    [InlineData("Data:Root:0", "/data", "Data__Root__0 is no setting; did you mean Data__Roots?")]
    [InlineData("Data:Roots:first", "/data", "Data__Roots__first is no setting")]
    [InlineData("Jobs:Heartbeat", "00:00:30", "Jobs__Heartbeat is 00:00:30; it must be shorter than the lease, which is 00:00:30.")]
    [InlineData("ConnectionStrings:Catalogue", "x", "ConnectionStrings__Catalogue is no setting; did you mean ConnectionStrings__Catalog?")]
    [InlineData(
        "ConnectionStrings:Catalog",
        "Username=me",
        "ConnectionStrings__Catalog names no host; it must be a Postgres connection string"
    )]
    [InlineData(
        "ConnectionStrings:RabbitMq",
        "localhost",
        "ConnectionStrings__RabbitMq is malformed; it must be amqp://USER:PASSWORD@HOST:PORT/VHOST"
    )]
    [InlineData("Volume:Root", " ", "Volume__Root is not set; give the directory that all hosts share.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is 'collector:4317'; it must be an address")]
    [InlineData("Logging:LogLevel:Default", "Loud", "Logging__LogLevel__Default is 'Loud'; it must be trace, debug,")]
    [InlineData("Logging:LogLevel:MassTransit", "Loud", "Logging__LogLevel__MassTransit is 'Loud'; it must be trace, debug,")]
    [InlineData("Logging:Format", "xml", "Logging__Format is 'xml'; it must be text or json.")]
    [InlineData(
        "Logging:Console:FormatterName",
        "json",
        "Logging__Console__FormatterName is no setting; known are Logging__Format, Logging__LogLevel__Default."
    )]
    [InlineData("CustomVision:Projectss:A", "shapes", "CustomVision__Projectss__A is no setting; did you mean CustomVision__Projects?")]
    [InlineData("urls", "nowhere", "ASPNETCORE_URLS is 'nowhere'; it must be addresses such as")]
    [InlineData("urls", "http://127.0.0.1:70000", "ASPNETCORE_URLS is 'http://127.0.0.1:70000'; it must be addresses such as")]
    [InlineData(
        "urls",
        "http://[::1]:8080;http://127.0.0.1:x",
        "ASPNETCORE_URLS is 'http://[::1]:8080;http://127.0.0.1:x'; it must be addresses such as"
    )]
    [InlineData("http_ports", "70000", "ASPNETCORE_HTTP_PORTS is '70000'; it must be ports from 0 to 65535, with semicolons between them.")]
    [InlineData("http_ports", "80,81", "ASPNETCORE_HTTP_PORTS is '80,81'; it must be ports")]
    public void A_wrong_setting_is_named_with_its_value_and_what_is_allowed(string key, string value, string said)
    {
        var error = Assert.Single(Find([.. Needed.Where(setting => setting.Key != key), (key, value)]));

        Assert.Contains(said, error);
        Assert.DoesNotContain("System.", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("serve", "'serve' is neither a command nor a setting")]
    [InlineData("-x", "'-x' is neither a command nor a setting")]
    [InlineData("Api:Keys=loopback", "'Api:Keys=loopback' is neither a command nor a setting")]
    [InlineData("--Api:Keys", "--Api:Keys has no value")]
    [InlineData("--Api:Keys --urls http://127.0.0.1:1", "--Api:Keys has no value")]
    [InlineData("--url http://127.0.0.1:1", "--url is no setting of this host; did you mean --urls?")]
    [InlineData("--colour=red", "--colour is no setting of this host.")]
    public void A_wrong_argument_is_named(string arguments, string said) =>
        Assert.Contains(said, Assert.Single(Settings().FindErrors(arguments.Split(' '))));

    [Fact]
    public void Arguments_that_are_settings_are_no_errors() =>
        Assert.Empty(
            Settings()
                .FindErrors([
                    "--urls",
                    "http://127.0.0.1:1",
                    "--Api:Keys=loopback",
                    "--Logging:LogLevel:Microsoft=Warning",
                    "--environment=Production",
                    "--Jobs:Lease",
                    "00:00:05",
                ])
        );

    [Fact]
    public async Task Help_lists_the_settings_and_needs_none()
    {
        await using var host = HostProcess.StartService(TestEnvironment.ServiceDll("AdminApi"), ["--help"]);

        Assert.Equal(0, await host.WaitForExitAsync());
        Assert.Contains(
            host.Lines,
            line =>
                line.Contains("Api__Keys", StringComparison.Ordinal)
                && line.Contains("required or loopback (default: required)", StringComparison.Ordinal)
        );
        Assert.Contains(host.Lines, line => line.Contains("migrate", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_command_that_does_not_exist_is_named()
    {
        await using var host = HostProcess.StartService(TestEnvironment.ServiceDll("AdminApi"), ["kyes", "list"]);

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());
        Assert.Contains(host.Lines, line => line.StartsWith("error: 'kyes' is neither a command nor a setting", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("migrate")]
    [InlineData("keys list")]
    public async Task A_command_on_a_catalog_that_is_not_set_says_so(string command)
    {
        await using var host = HostProcess.StartService(TestEnvironment.ServiceDll("AdminApi"), command.Split(' '));

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());
        Assert.StartsWith(
            "error: ConnectionStrings__Catalog is not set; give a Postgres connection string",
            Assert.Single(host.Lines),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_volume_is_adopted_where_one_is_named()
    {
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["volume", "adopt"],
            new Dictionary<string, string?> { ["ConnectionStrings__Catalog"] = "Host=127.0.0.1;Port=1;Username=nobody;Database=none" }
        );

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());
        Assert.Equal("error: Volume__Root is not set; give the directory that all hosts share.", Assert.Single(host.Lines));
    }

    [Fact]
    public async Task All_settings_that_the_brokers_users_need_are_named_at_once()
    {
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["broker-users"],
            new Dictionary<string, string?> { ["Broker__Passwords__admin-api"] = "x" }
        );

        Assert.Equal(ServiceHost.MisconfiguredStatus, await host.WaitForExitAsync());
        Assert.Equal(
            [
                "ConnectionStrings__RabbitMqManagement",
                "Broker__Passwords__ingestion",
                "Broker__Passwords__training",
                "Broker__Passwords__evaluation",
                "Broker__Passwords__client",
            ],
            host.Lines.Select(line => line.Split(' ')[1])
        );
    }

    private static HostSettings Settings()
    {
        var settings = new HostSettings().AddDefaults();
        AdminApiModule.DescribeSettings(settings);
        return settings;
    }

    private static IReadOnlyList<string> Find(params (string Key, string Value)[] settings) =>
        Settings()
            .FindErrors(
                new ConfigurationBuilder()
                    .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
                    .Build()
            );
}
