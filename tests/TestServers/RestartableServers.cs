using System.Globalization;

namespace Distributed.TestServers;

/// <summary>A broker and a database of a test's own, which it may end and start again: they keep ports and data. Disposal stops them.</summary>
public sealed class RestartableServers : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly DirectoryInfo _folder;

    private RestartableServers(DirectoryInfo folder) => _folder = folder;

    /// <summary>Where they are.</summary>
    public ServerAddresses Addresses { get; private set; } = null!;

    /// <summary>Starts both, from the distribution's packages: the ports of containers change when they are started again.</summary>
    public static async Task<RestartableServers> StartAsync()
    {
        var servers = new RestartableServers(Directory.CreateTempSubdirectory("distributed-servers-"));
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                // The servers run as users of their own, who must be able to enter.
                File.SetUnixFileMode(servers._folder.FullName, (UnixFileMode)0b111_001_001);
            }

            var exports = (
                await servers.RunAsync("start", "--owner", Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "--restartable")
            )
                .Where(line => line.StartsWith("export ", StringComparison.Ordinal))
                .Select(line => line["export ".Length..].Split('=', 2))
                .ToDictionary(pair => pair[0], pair => pair[1].Replace("\\", "", StringComparison.Ordinal));
            servers.Addresses = new ServerAddresses(
                new Uri(exports["DISTRIBUTED_TEST_RABBITMQ"]),
                new Uri(exports["DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT"]),
                exports["DISTRIBUTED_TEST_POSTGRES"]
            )
            {
                RabbitMqPrometheus = new Uri(exports["DISTRIBUTED_TEST_RABBITMQ_PROMETHEUS"]),
            };
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the broker, orderly or as a power cut would, and starts it again; returns when it takes connections.</summary>
    public Task RestartBrokerAsync(bool kill) => RunAsync("restart", ["rabbitmq", .. Kill(kill)]);

    /// <summary>Ends the broker in order; <see cref="RestartBrokerAsync"/> begins it again.</summary>
    public Task HaltBrokerAsync() => RunAsync("halt", "rabbitmq");

    /// <summary>Ends the database, orderly or as a power cut would, and starts it again; returns when it takes connections.</summary>
    public Task RestartDatabaseAsync(bool kill) => RunAsync("restart", ["postgres", .. Kill(kill)]);

    public async ValueTask DisposeAsync()
    {
        await RunAsync("stop");
        _folder.Delete(recursive: true);
    }

    private static string[] Kill(bool kill) => kill ? ["--kill"] : [];

    private async Task<IReadOnlyList<string>> RunAsync(string command, params string[] arguments)
    {
        await using var script = HostProcess.Start(
            "bash",
            [
                Path.Combine(TestEnvironment.RepositoryRoot, "infra", "local", "servers.sh"),
                command,
                Path.Combine(_folder.FullName, "servers"),
                .. arguments,
            ]
        );
        var status = await script.WaitForExitAsync(Patience);
        return status == 0
            ? script.Lines
            : throw new InvalidOperationException($"servers.sh {command} ended with {status}:\n{string.Join('\n', script.Lines)}");
    }
}
