using System.Globalization;

namespace Distributed.TestServers;

/// <summary>Servers that <c>infra/local/servers.sh</c> keeps in a temporary folder. They end with this process at the latest, however it ends.</summary>
internal sealed class ServerScript : IAsyncDisposable
{
    private const int UnavailableStatus = 3;

    // Packages may have to be installed first.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-servers-");

    private ServerScript()
    {
        if (!OperatingSystem.IsWindows())
        {
            // The servers run as users of their own, who must be able to enter.
            File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_001_001);
        }
    }

    /// <summary>The variables that tests are to use, as the script exports them; those of servers that ran already included.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; private set; } = new Dictionary<string, string>();

    /// <param name="options">Options of the script's <c>start</c>.</param>
    /// <exception cref="ServersUnavailableException">There are no servers on this machine, and none can be installed.</exception>
    /// <exception cref="InvalidOperationException">They did not start.</exception>
    public static async Task<ServerScript> StartAsync(params string[] options)
    {
        var script = new ServerScript();
        try
        {
            var owner = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
            script.Variables = (await script.RunAsync("start", ["--owner", owner, .. options]))
                .Where(line => line.StartsWith("export ", StringComparison.Ordinal))
                .Select(line => line["export ".Length..].Split('=', 2))
                .ToDictionary(pair => pair[0], pair => Unquote(pair[1]), StringComparer.Ordinal);
            return script;
        }
        catch
        {
            await script.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs one command of the script on these servers.</summary>
    /// <returns>What it printed.</returns>
    public async Task<IReadOnlyList<string>> RunAsync(string command, params string[] arguments)
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
        return await script.WaitForExitAsync(Patience) switch
        {
            0 => script.Lines,
            UnavailableStatus => throw new ServersUnavailableException(string.Join('\n', script.Lines)),
            var status => throw new InvalidOperationException(
                $"servers.sh {command} ended with {status}:\n{string.Join('\n', script.Lines)}"
            ),
        };
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("stop");
        _folder.Delete(recursive: true);
    }

    // The script prints values as bash's printf %q does: none has more to quote than single characters.
    private static string Unquote(string value) => value == "''" ? "" : value.Replace("\\", "", StringComparison.Ordinal);
}

/// <summary>No test servers can be had on this machine. The message says what to install.</summary>
internal sealed class ServersUnavailableException(string message) : Exception(message);
