namespace Distributed.TestServers.Tests;

public sealed class ComposeTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("gpu")]
    [InlineData("tools")]
    [InlineData("observability")]
    public async Task The_compose_file_is_valid(string? profile)
    {
        var compose = await FindComposeAsync();
        Assert.SkipWhen(compose is null, "neither docker-compose nor the compose plugin of docker is installed");

        var file = Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml");
        string[] profiles = profile is null ? [] : ["--profile", profile];
        await using var secrets = await Secrets.CreateAsync();
        await using var process = HostProcess.Start(
            compose[0],
            [.. compose.Skip(1), "--env-file", secrets.Path, "-f", file, .. profiles, "config", "-q"]
        );

        var status = await process.WaitForExitAsync();

        Assert.True(status == 0, string.Join('\n', process.Lines));
    }

    [Fact]
    public async Task Without_secrets_nothing_starts_and_it_says_how_to_make_them()
    {
        var compose = await FindComposeAsync();
        Assert.SkipWhen(compose is null, "neither docker-compose nor the compose plugin of docker is installed");

        var file = Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml");
        await using var secrets = await Secrets.CreateAsync();
        await File.WriteAllTextAsync(secrets.Path, "");
        await using var process = HostProcess.Start(
            compose[0],
            [.. compose.Skip(1), "--env-file", secrets.Path, "-f", file, "config", "-q"]
        );

        Assert.NotEqual(0, await process.WaitForExitAsync());
        Assert.Contains(process.Lines, line => line.Contains("infra/scripts/secrets.sh", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Secrets_are_random_each_of_its_own_and_never_overwritten()
    {
        await using var first = await Secrets.CreateAsync();
        await using var second = await Secrets.CreateAsync();

        Assert.Equal(11, first.Passwords.Count);
        Assert.All(first.Passwords, password => Assert.Matches("^[0-9a-f]{48}$", password));
        Assert.Equal(22, first.Passwords.Concat(second.Passwords).Distinct(StringComparer.Ordinal).Count());
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(first.Path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.NotEqual(0, await Secrets.WriteAsync(first.Path));
    }

    [Fact]
    public async Task Every_container_is_hardened_and_every_service_has_users_of_its_own()
    {
        var compose = await FindComposeAsync();
        Assert.SkipWhen(compose is null, "neither docker-compose nor the compose plugin of docker is installed");
        await using var secrets = await Secrets.CreateAsync();
        await using var process = HostProcess.Start(
            compose[0],
            [
                .. compose.Skip(1),
                "--env-file",
                secrets.Path,
                "-f",
                Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml"),
                "--profile",
                "gpu",
                "--profile",
                "tools",
                "--profile",
                "observability",
                "config",
            ]
        );
        Assert.Equal(0, await process.WaitForExitAsync());

        // Of each service the lines below its name, anchors and merges resolved.
        var services = new Dictionary<string, List<string>>();
        foreach (var line in process.Lines.SkipWhile(line => line != "services:").Skip(1).TakeWhile(line => line.StartsWith(' ')))
        {
            if (line.StartsWith("  ", StringComparison.Ordinal) && line[2] is not (' ' or '-'))
            {
                services[line.Trim().TrimEnd(':')] = [];
            }
            else
            {
                services.Last().Value.Add(line.Trim());
            }
        }

        string[] hosts = ["admin-api", "evaluation", "ingestion", "training", "training-gpu"];
        Assert.Equal(
            [
                "admin-api",
                "backup",
                "broker-users",
                "collector",
                "evaluation",
                "grafana",
                "ingestion",
                "loki",
                "migrate",
                "postgres",
                "prometheus",
                "rabbitmq",
                "tempo",
                "training",
                "training-gpu",
            ],
            services.Keys.Order(StringComparer.Ordinal)
        );
        var users = new Dictionary<string, string>
        {
            ["rabbitmq"] = "rabbitmq",
            ["postgres"] = "postgres",
            ["collector"] = "10001:10001",
            ["tempo"] = "10001:10001",
            ["loki"] = "10001:10001",
            ["prometheus"] = "65534:65534",
            ["grafana"] = "472:0",
        };
        Assert.All(
            services,
            service =>
            {
                Assert.Contains("read_only: true", service.Value);
                Assert.Contains(service.Value, line => line.Contains("no-new-privileges:true", StringComparison.Ordinal));
                Assert.Equal("- ALL", service.Value[service.Value.IndexOf("cap_drop:") + 1]);
                Assert.DoesNotContain("cap_add:", service.Value);
                Assert.Contains(
                    $"user: {users.GetValueOrDefault(service.Key, "1654:1654")}",
                    service.Value.Select(line => line.Replace("'", "", StringComparison.Ordinal))
                );
                // No log grows without end.
                Assert.Contains(service.Value, line => line.StartsWith("max-size:", StringComparison.Ordinal));
                Assert.Contains(service.Value, line => line.StartsWith("max-file:", StringComparison.Ordinal));
            }
        );
        foreach (var host in hosts)
        {
            var user = host.Replace("-gpu", "", StringComparison.Ordinal);
            Assert.Contains(services[host], line => line.Contains($"amqp://{user}:", StringComparison.Ordinal));
            Assert.Contains(
                services[host],
                line =>
                    line.Contains(
                        user == "admin-api" ? "Username=distributed_api;" : "Username=distributed_worker;",
                        StringComparison.Ordinal
                    )
            );
            Assert.DoesNotContain(
                services[host],
                line =>
                    line.Contains("administrator", StringComparison.Ordinal) || line.Contains("distributed_owner", StringComparison.Ordinal)
            );
        }
    }

    [Fact]
    public async Task Ports_are_published_on_loopback_only()
    {
        var published = (await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml")))
            .SkipWhile(line => line != "services:")
            .Where(line =>
                line.TrimStart().StartsWith("- \"", StringComparison.Ordinal) && line.EndsWith('"') && char.IsAsciiDigit(line[^2])
            )
            .ToList();

        Assert.Equal(7, published.Count);
        Assert.All(published, line => Assert.StartsWith("- \"127.0.0.1:${", line.TrimStart(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_secret_that_is_missing_is_told_with_the_command_that_makes_it()
    {
        var compose = await File.ReadAllTextAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml"));

        var required = compose
            .Split("${")
            .Skip(1)
            .Select(part => part.Split('}')[0])
            .Where(part => part.Contains('?', StringComparison.Ordinal))
            .ToList();

        Assert.True(required.Count > 10);
        Assert.All(
            required,
            variable => Assert.EndsWith(":?run infra/scripts/secrets.sh, which writes .env", variable, StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task An_image_is_built_by_one_service_and_says_its_version()
    {
        var compose = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml"));
        var dockerfile = await File.ReadAllLinesAsync(
            Path.Combine(TestEnvironment.RepositoryRoot, "infra", "docker", "service.Dockerfile")
        );
        var properties = await File.ReadAllTextAsync(Path.Combine(TestEnvironment.RepositoryRoot, "Directory.Build.props"));
        var version = properties.Split("<Version>")[1].Split("</Version>")[0];

        // AdminApi's is also what the two that prepare run; the trainer's is built with and without CUDA.
        Assert.Equal(
            ["AdminApi", "Evaluation", "Ingestion", "Training", "Training"],
            compose
                .Where(line => line.Contains(" SERVICE: ", StringComparison.Ordinal))
                .Select(line => line.Split(": ")[1])
                .Order(StringComparer.Ordinal)
        );
        Assert.Contains($"ARG VERSION={version}", dockerfile);
        Assert.Contains(compose, line => line.Contains($"${{DISTRIBUTED_VERSION:-{version}}}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tests_run_against_the_servers_that_are_deployed()
    {
        var compose = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "docker-compose.yml"));
        var script = await File.ReadAllLinesAsync(Path.Combine(TestEnvironment.RepositoryRoot, "infra", "local", "servers.sh"));

        foreach (var server in new[] { "rabbitmq", "postgres" })
        {
            // The tools of the same version too.
            var image = Assert.Single(
                compose
                    .Where(line => line.Contains($"image: {server}:", StringComparison.Ordinal))
                    .Select(line => line.Split("image: ")[1])
                    .Distinct()
            );
            Assert.Contains($"{server}_image={image}", script);
        }
    }

    /// <summary>A file of secrets, as a person makes it.</summary>
    private sealed class Secrets : IAsyncDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-secrets-");

        public string Path => global::System.IO.Path.Combine(_folder.FullName, ".env");

        public IReadOnlyList<string> Passwords =>
            [
                .. File.ReadLines(Path)
                    .Where(line => line.Contains("_PASSWORD=", StringComparison.Ordinal))
                    .Select(line => line.Split('=')[1]),
            ];

        public static async Task<Secrets> CreateAsync()
        {
            var secrets = new Secrets();
            Assert.Equal(0, await WriteAsync(secrets.Path));
            return secrets;
        }

        public static async Task<int> WriteAsync(string path)
        {
            await using var script = HostProcess.Start(
                global::System.IO.Path.Combine(TestEnvironment.RepositoryRoot, "infra", "scripts", "secrets.sh"),
                [path]
            );
            return await script.WaitForExitAsync();
        }

        public ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
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
