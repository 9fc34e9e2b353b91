namespace Distributed.TestServers.Tests;

public sealed class ComposeTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("gpu")]
    public async Task The_compose_file_is_valid(string? profile)
    {
        var compose = await FindComposeAsync();
        Assert.SkipWhen(compose is null, "neither docker-compose nor the compose plugin of docker is installed");

        var file = Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml");
        string[] profiles = profile is null ? [] : ["--profile", profile];
        await using var process = HostProcess.Start(compose[0], [.. compose.Skip(1), "-f", file, .. profiles, "config", "-q"]);

        var status = await process.WaitForExitAsync();

        Assert.True(status == 0, string.Join('\n', process.Lines));
    }

    [Fact]
    public async Task Tests_run_against_the_servers_that_are_deployed()
    {
        var compose = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml"));
        var script = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "infra", "local", "servers.sh"));

        foreach (var server in new[] { "rabbitmq", "postgres" })
        {
            var image = Assert.Single(compose, line => line.Contains($"image: {server}:", StringComparison.Ordinal)).Split("image: ")[1];
            Assert.Contains($"{server}_image={image}", script);
        }
    }

    private static async Task<string[]?> FindComposeAsync()
    {
        foreach (var command in new string[][] { ["docker", "compose"], ["docker-compose"] })
        {
            if (TestEnvironment.FindOnPath(command[0]) is null)
            {
                continue;
            }

            await using var process = HostProcess.Start(command[0], [.. command.Skip(1), "version"]);
            if (await process.WaitForExitAsync() == 0)
            {
                return command;
            }
        }

        return null;
    }
}
