using System.Globalization;
using Distributed.TestServers;

namespace Distributed.Compose.Tests;

/// <summary>The container engine of this test run.</summary>
internal static class Engine
{
    private const string Advice = "./test.sh compose starts an engine where none runs";

    /// <summary>How compose is called, <c>docker compose</c> or <c>docker-compose</c>; null where there is no engine.</summary>
    public static string? Compose { get; } =
        Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_COMPOSE") is { Length: > 0 } value ? value : null;

    /// <summary>Skips the test where no engine runs.</summary>
    public static void Require() => Assert.SkipWhen(Compose is null, $"no container engine answers; {Advice}");

    /// <summary>Skips the test where the long form was not asked for.</summary>
    public static void RequireLongForm()
    {
        Require();
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_COMPOSE_LONG") == "1",
            "takes minutes: ./test.sh compose does it"
        );
    }

    /// <summary>Skips the test for anybody but root.</summary>
    /// <param name="what">What only root may do.</param>
    public static void RequireRoot(string what) => Assert.SkipUnless(Environment.IsPrivilegedProcess, $"only root may {what}");

    /// <summary>Runs the engine's client.</summary>
    /// <returns>Its status and what it wrote.</returns>
    public static async Task<(int Status, string Output)> TryAsync(params string[] arguments)
    {
        await using var process = HostProcess.Start("docker", arguments);
        var status = await process.WaitForExitAsync(TimeSpan.FromMinutes(2));
        return (status, string.Join('\n', process.Lines));
    }

    /// <summary>Runs the engine's client, which must succeed.</summary>
    public static async Task<string> RunAsync(params string[] arguments)
    {
        var (status, output) = await TryAsync(arguments);
        Assert.True(status == 0, $"docker {string.Join(' ', arguments)} ended with {status}: {output}");
        return output;
    }

    /// <summary>Ends a process of a container as its crash would: an engine does not start again what it was asked to kill.</summary>
    public static async Task KillProcessAsync(int id)
    {
        await using var kill = HostProcess.Start("kill", ["-KILL", id.ToString(CultureInfo.InvariantCulture)]);
        Assert.Equal(0, await kill.WaitForExitAsync());
    }

    /// <summary>Notes a figure for whoever runs the tests.</summary>
    public static void Note(string figure) => Append("DISTRIBUTED_TEST_FIGURES", figure);

    /// <summary>Notes what is to be removed where this process is ended before it can do so.</summary>
    public static void NoteProject(string name) => Append("DISTRIBUTED_TEST_PROJECTS", name);

    private static void Append(string variable, string line)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } file)
        {
            File.AppendAllText(file, line + Environment.NewLine);
        }
    }
}
