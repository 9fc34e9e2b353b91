namespace Distributed.TestServers.Tests;

/// <summary>A test process that nobody has started servers for, as in an IDE.</summary>
public sealed class OwnServersTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-own-");

    public OwnServersTests() => Allow(_folder.FullName);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_process_without_servers_starts_its_own_and_leaves_nothing()
    {
        var temporary = _folder.CreateSubdirectory("tmp").FullName;
        Allow(temporary);

        var (status, output) = await RunTestsAsync(new() { ["TMPDIR"] = temporary });

        Assert.True(status == 0, output);
        Assert.Contains("Failed: 0, Skipped: 0", output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(temporary, "distributed-servers-*"));
    }

    [Fact]
    public async Task Where_no_servers_can_be_had_tests_are_skipped_with_the_reason()
    {
        var programs = _folder.CreateSubdirectory("bin").FullName;
        var script = Path.Combine(programs, "bash");
        await File.WriteAllTextAsync(script, "#!/bin/sh\n[ \"$2\" = start ] || exit 0\necho 'error: please install them' >&2\nexit 3\n");
        Allow(script);

        var (status, output) = await RunTestsAsync(
            new() { ["PATH"] = $"{programs}{Path.PathSeparator}{Environment.GetEnvironmentVariable("PATH")}" }
        );

        Assert.True(status == 0, output);
        Assert.Contains("Total: 3, Errors: 0, Failed: 0, Skipped: 3", output, StringComparison.Ordinal);
        Assert.Contains("error: please install them", output, StringComparison.Ordinal);
    }

    private static async Task<(int Status, string Output)> RunTestsAsync(Dictionary<string, string?> environment)
    {
        foreach (var variable in (string[])["POSTGRES", "RABBITMQ", "RABBITMQ_MANAGEMENT"])
        {
            environment[$"DISTRIBUTED_TEST_{variable}"] = null;
        }

        await using var process = HostProcess.StartService(
            typeof(OwnServersTests).Assembly.Location,
            ["-class", "*" + nameof(PostgresDatabaseTests)],
            environment
        );
        var status = await process.WaitForExitAsync(TimeSpan.FromMinutes(3));
        return (status, string.Join('\n', process.Lines));
    }

    // Servers run as users of their own, who must be able to enter.
    private static void Allow(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        }
    }
}
