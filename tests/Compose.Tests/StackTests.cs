using System.Globalization;
using System.Net;
using System.Text.Json;
using Distributed.Imaging;
using Distributed.TestServers;

namespace Distributed.Compose.Tests;

/// <summary>The whole system as the README brings it up and drives it.</summary>
public sealed class StackTests(Stacks stacks)
{
    private const long Megabyte = 1_000_000;

    [Fact]
    public async Task Without_secrets_compose_says_what_to_run()
    {
        Engine.Require();
        await using var deployment = Deployment.Create();

        var (status, output) = await deployment.TryShellAsync("docker compose up -d");

        Assert.NotEqual(0, status);
        Assert.Contains("run infra/scripts/secrets.sh", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_prepares_is_done_before_hosts_start_and_nothing_starts_twice()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();

        var containers = await deployment.ContainersAsync();
        var hosts = containers.Where(container => Deployment.Hosts.Contains(container.Service)).ToList();
        var firstHost = hosts.Min(host => host.StartedAt);
        var prepared = containers.Where(container => container.Service is "migrate" or "broker-users").ToList();

        Assert.Equal(2, prepared.Count);
        Assert.All(prepared, container => Assert.Equal(0, container.ExitCode));
        // A command that was run later starts them again, as what it depends on.
        Assert.All(
            prepared,
            container => Assert.True(container.StartedAt > firstHost || container.FinishedAt <= firstHost, $"{container}")
        );
        Assert.All(containers, container => Assert.Equal(0, container.Restarts));
        Assert.All(hosts, host => Assert.True(host.IsHealthy, $"{host}"));
    }

    [Fact]
    public async Task A_run_by_HTTP_on_images_of_the_data_folder_completes()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();
        WriteFlowers(Path.Combine(deployment.Folder, "data", "flowers"));
        var commands = Documentation.Commands("README.md", "Submit a run")[0].Replace("\"imagenet\"", "\"demo\"", StringComparison.Ordinal);

        var output = await deployment.ShellAsync($"KEY={deployment.Api.DefaultRequestHeaders.Authorization!.Parameter}\n{commands}");

        Assert.Contains("202 Accepted", output, StringComparison.Ordinal);
        var location = output
            .Split('\n')
            .Single(line => line.StartsWith("Location:", StringComparison.OrdinalIgnoreCase))
            .Split(' ')[1]
            .Trim();
        var run = await deployment.WaitForCompletionAsync(Guid.Parse(location.Split('/')[^1]));
        Assert.Equal("flowers", run.GetProperty("summary").GetProperty("name").GetString());
        Assert.Contains(
            "</html>",
            await deployment.Api.GetStringAsync(new Uri(location + "/report", UriKind.Relative)),
            StringComparison.OrdinalIgnoreCase
        );
        // The second command, with a question mark in its address, lists it then.
        Assert.Contains(
            "flowers",
            await deployment.ShellAsync(
                $"KEY={deployment.Api.DefaultRequestHeaders.Authorization!.Parameter}\n{Documentation.Line(commands, "state=completed")}"
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "flowers",
            await deployment.ShellAsync(
                $"docker compose exec -T postgres psql -U administrator distributed <<'END'\n{Documentation.Blocks("README.md", "Ask the catalog", "sql")[0]}\nEND"
            ),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_run_by_message_completes_and_a_refusal_is_an_error()
    {
        Engine.RequireLongForm();
        var deployment = await stacks.UndisturbedAsync();
        var commands = Documentation.Commands("README.md", "Submit a run")[1];

        Assert.Contains("\"routed\":true", await deployment.ShellAsync(commands), StringComparison.Ordinal);

        var run = await deployment.WaitForCompletionAsync(Guid.Parse("6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01"));
        Assert.Equal("by message", run.GetProperty("summary").GetProperty("name").GetString());
        var (status, _) = await deployment.TryShellAsync(
            commands.Replace("administrator:$RABBITMQ_PASSWORD", "client:$BROKER_CLIENT_PASSWORD", StringComparison.Ordinal)
        );
        Assert.NotEqual(0, status);
    }

    [Fact]
    public async Task Every_host_tells_its_metrics_to_the_others_alone()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();
        var neighbour = Assert.Single(await deployment.ContainersAsync("postgres"));

        foreach (var host in Deployment.Hosts)
        {
            var answer = await Engine.RunAsync(
                "exec",
                neighbour.Id,
                "bash",
                "-c",
                $"exec 3<>/dev/tcp/{host}/9464; printf 'GET /metrics HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n' >&3; head -c 15 <&3"
            );
            Assert.Equal("HTTP/1.1 200 OK", answer);
            Assert.DoesNotContain(
                await deployment.ContainersAsync(host),
                container => container.Host.GetProperty("PortBindings").TryGetProperty("9464/tcp", out _)
            );
        }
    }

    [Fact]
    public async Task A_key_is_asked_for()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();
        using var stranger = new HttpClient { BaseAddress = deployment.Api.BaseAddress };

        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync(new Uri("/api/v1/runs", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task No_container_has_root_capabilities_or_a_file_system_to_write_to()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();

        var containers = await deployment.ContainersAsync();

        Assert.Equal(
            [.. Deployment.Hosts.Concat(["broker-users", "migrate", "postgres", "rabbitmq"]).Order(StringComparer.Ordinal)],
            containers.Select(container => container.Service).Order(StringComparer.Ordinal)
        );
        foreach (var container in containers)
        {
            Assert.True(container.Host.GetProperty("ReadonlyRootfs").GetBoolean(), $"{container}");
            Assert.False(container.Host.GetProperty("Privileged").GetBoolean());
            Assert.Equal("ALL", Assert.Single(container.Host.GetProperty("CapDrop").EnumerateArray()).GetString());
            Assert.True(
                container.Host.GetProperty("CapAdd") is not { ValueKind: JsonValueKind.Array } added || added.GetArrayLength() == 0
            );
            Assert.Contains(
                container.Host.GetProperty("SecurityOpt").EnumerateArray(),
                option => option.GetString()!.StartsWith("no-new-privileges", StringComparison.Ordinal)
            );
            Assert.DoesNotMatch("^(|0|root)(:.*)?$", container.At("Config", "User").GetString());
            Assert.Equal("10m", container.Host.GetProperty("LogConfig").GetProperty("Config").GetProperty("max-size").GetString());
            Assert.All(
                container.Host.GetProperty("PortBindings").EnumerateObject().SelectMany(port => port.Value.EnumerateArray()),
                binding => Assert.Equal("127.0.0.1", binding.GetProperty("HostIp").GetString())
            );
        }
    }

    [Fact]
    public async Task What_a_container_may_do_is_what_its_process_has()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();
        var running = (await deployment.ContainersAsync()).Where(container => container.Process != 0).ToList();
        Assert.SkipUnless(
            running.All(container => File.Exists($"/proc/{container.Process}/status")),
            "the engine's processes are not this machine's"
        );

        foreach (var container in running)
        {
            var status = File.ReadLines($"/proc/{container.Process}/status")
                .Select(line => line.Split(':', 2))
                .ToDictionary(pair => pair[0], pair => pair[1].Trim());
            Assert.All(
                ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"],
                set => Assert.Equal(0UL, ulong.Parse(status[set], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            );
            Assert.Equal("1", status["NoNewPrivs"]);
            Assert.DoesNotContain("0", status["Uid"].Split('\t'));
            if (Deployment.Hosts.Contains(container.Service))
            {
                Assert.All(status["Uid"].Split('\t'), user => Assert.Equal("1654", user));
            }
        }
    }

    [Fact]
    public async Task Nothing_can_be_written_into_a_container_and_a_host_has_no_shell()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();

        foreach (var container in (await deployment.ContainersAsync()).Where(container => container.Process != 0))
        {
            var (copied, refusal) = await Engine.TryAsync("cp", Path.Combine(deployment.Folder, "LICENSE"), $"{container.Id}:/etc/LICENSE");
            Assert.NotEqual(0, copied);
            Assert.Contains("read-only", refusal, StringComparison.Ordinal);
            var (shell, output) = await Engine.TryAsync("exec", container.Id, "sh", "-c", "echo x >/etc/x");
            Assert.NotEqual(0, shell);
            Assert.Contains(
                Deployment.Hosts.Contains(container.Service) ? "not found" : "Read-only file system",
                output,
                StringComparison.OrdinalIgnoreCase
            );
        }
    }

    [Fact]
    public async Task Images_are_small_and_only_those_that_compute_carry_the_tensor_library()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();

        foreach (var host in (await deployment.ContainersAsync()).Where(container => Deployment.Hosts.Contains(container.Service)))
        {
            var image = host.At("Image").GetString()!;
            var size =
                long.Parse(await Engine.RunAsync("image", "inspect", "--format", "{{.Size}}", image), CultureInfo.InvariantCulture)
                / Megabyte;
            var layers = (await Engine.RunAsync("history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", image))
                .Split('\n')
                .Where(line => line.Contains("COPY /layers", StringComparison.Ordinal));
            var own = layers.Sum(line => long.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture)) / Megabyte;
            Engine.Note($"image of {host.Service}: {size} MB, {own} MB of them above the base image");
            var files = await deployment.ShellAsync($"docker cp {host.Id}:/app - | tar -t");
            Assert.Contains("Distributed.", files, StringComparison.Ordinal);
            var computes = host.Service is "training" or "evaluation";
            Assert.Equal(computes, files.Contains("torch", StringComparison.OrdinalIgnoreCase));
            Assert.True(computes || size < 250, $"{host.Service} has {size} MB");
            var labels = host.At("Config", "Labels");
            Assert.Equal("MIT", labels.GetProperty("org.opencontainers.image.licenses").GetString());
            Assert.StartsWith("Distributed ", labels.GetProperty("org.opencontainers.image.title").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Hosts_log_no_library_that_is_missing()
    {
        Engine.Require();
        var deployment = await stacks.UndisturbedAsync();

        Assert.DoesNotContain(
            "Cannot load library",
            await deployment.ShellAsync("docker compose logs --no-color"),
            StringComparison.OrdinalIgnoreCase
        );
    }

    /// <summary>Two classes that tell themselves apart by their brightness.</summary>
    private static void WriteFlowers(string folder)
    {
        const int Side = 32,
            Images = 40;
        foreach (var (name, brightness) in new[] { ("aster", 40), ("rose", 180) })
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
            for (var image = 0; image < Images; image++)
            {
                var pixels = new byte[Side * Side * 3];
                new Random(image + brightness).NextBytes(pixels);
                for (var i = 0; i < pixels.Length; i++)
                {
                    pixels[i] = (byte)((pixels[i] / 4) + brightness);
                }

                File.WriteAllBytes(Path.Combine(folder, name, $"{image:D3}.png"), PngEncoder.Encode(pixels, Side, Side));
            }
        }
    }
}
