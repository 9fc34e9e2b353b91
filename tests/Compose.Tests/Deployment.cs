using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Compose.Tests;

/// <summary>
/// A checkout of its own, and the whole system that is brought up from it: with a project name, ports and secrets of its own, by the
/// commands of the documentation.
/// </summary>
internal sealed class Deployment : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestCommand = TimeSpan.FromMinutes(15);

    /// <summary>What no image is made of, and what a build leaves behind.</summary>
    private static readonly HashSet<string> NotCopied =
    [
        ".git",
        "bin",
        "obj",
        "TestResults",
        "tests",
        "docs",
        "data",
        "volume",
        "backups",
        "BenchmarkDotNet.Artifacts",
    ];

    /// <summary>A small sample in small jobs, so that several workers have something to do.</summary>
    private const string Override = """
        services:
          ingestion:
            environment:
              Ingestion__SampleTrainImages: "400"
              Ingestion__SampleTestImages: "200"
          training:
            environment:
              Training__ShardImages: "32"
              Training__Slice: "00:00:00.500"
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-compose-");
    private readonly string _project = $"distributed-test-{Guid.NewGuid():N}"[..24];
    private readonly int _apiPort = FreePort.Next();
    private readonly int _brokerPort = FreePort.Next();
    private readonly int _managementPort = FreePort.Next();
    private readonly HttpClient _api;

    private Deployment() =>
        _api = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_apiPort}"), Timeout = TimeSpan.FromSeconds(20) };

    public static IReadOnlyList<string> Hosts { get; } = ["admin-api", "evaluation", "ingestion", "training"];

    /// <summary>The checkout.</summary>
    public string Folder => _folder.FullName;

    /// <summary>A client of the API with a key, once there is one.</summary>
    public HttpClient Api => _api;

    /// <summary>A checkout with nothing in it but what is kept in the repository; nothing is running.</summary>
    public static Deployment Create()
    {
        var deployment = new Deployment();
        Engine.NoteProject(deployment._project);
        // What runs read must be readable for the services' user.
        if (!OperatingSystem.IsWindows())
        {
            deployment._folder.UnixFileMode |=
                UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        }

        Copy(new DirectoryInfo(TestEnvironment.RepositoryRoot), deployment._folder);
        File.Delete(Path.Combine(deployment.Folder, ".env"));
        File.WriteAllText(Path.Combine(deployment.Folder, "docker-compose.override.yml"), Override);
        return deployment;
    }

    /// <summary>Runs commands as a person would in the checkout. The ports of the documentation become those of this deployment.</summary>
    /// <returns>What they wrote.</returns>
    public async Task<string> ShellAsync(string commands)
    {
        var (status, output) = await TryShellAsync(commands);
        Assert.True(status == 0, $"{commands}\nended with {status}: {output}");
        return output;
    }

    /// <summary>The same where they may fail.</summary>
    public async Task<(int Status, string Output)> TryShellAsync(string commands)
    {
        // Where compose is no plugin, it is called by another name.
        var compose =
            Engine.Compose == "docker-compose"
                ? """docker() { if [[ $1 == compose ]]; then shift; docker-compose "$@"; else command docker "$@"; fi; }"""
                : ":";
        commands = commands
            .Replace("127.0.0.1:8080", $"127.0.0.1:{_apiPort}", StringComparison.Ordinal)
            .Replace("127.0.0.1:15672", $"127.0.0.1:{_managementPort}", StringComparison.Ordinal);
        await using var process = HostProcess.Start(
            "bash",
            ["-c", $"set -euo pipefail\ncd '{Folder}'\n{compose}\n{commands}"],
            new Dictionary<string, string?>
            {
                ["COMPOSE_PROJECT_NAME"] = _project,
                ["DISTRIBUTED_TAG"] = "test",
                ["DOCKER_BUILDKIT"] = "1",
                ["COMPOSE_DOCKER_CLI_BUILD"] = "1",
                ["ADMIN_API_PORT"] = _apiPort.ToString(CultureInfo.InvariantCulture),
                ["RABBITMQ_PORT"] = _brokerPort.ToString(CultureInfo.InvariantCulture),
                ["RABBITMQ_MANAGEMENT_PORT"] = _managementPort.ToString(CultureInfo.InvariantCulture),
            }
        );
        var status = await process.WaitForExitAsync(LongestCommand);
        return (status, string.Join('\n', process.Lines));
    }

    /// <summary>Its containers, but for those of single commands.</summary>
    public async Task<IReadOnlyList<Container>> ContainersAsync()
    {
        var ids = (await Engine.RunAsync("ps", "--all", "--quiet", "--filter", $"label=com.docker.compose.project={_project}")).Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries
        );
        if (ids.Length == 0)
        {
            return [];
        }

        // One that goes meanwhile fails the command, and is not in its answer.
        var (_, output) = await Engine.TryAsync(["inspect", .. ids]);
        using var document = JsonDocument.Parse(output[..(output.LastIndexOf(']') + 1)]);
        return
        [
            .. document
                .RootElement.Clone()
                .EnumerateArray()
                .Select(description => new Container(description))
                .Where(container => !container.IsOneOff),
        ];
    }

    /// <summary>The containers of one service.</summary>
    public async Task<IReadOnlyList<Container>> ContainersAsync(string service) =>
        [.. (await ContainersAsync()).Where(container => container.Service == service)];

    /// <summary>Waits until every host is healthy.</summary>
    public Task WaitForReadyAsync(int trainers = 1) =>
        WaitAsync(
            "all hosts to be healthy",
            ContainersAsync,
            containers =>
                Hosts.All(service =>
                    containers.Count(container => container.Service == service && container.IsHealthy)
                    == (service == "training" ? trainers : 1)
                )
        );

    /// <summary>Makes a key by the command of the documentation, and uses it.</summary>
    public async Task<string> CreateKeyAsync()
    {
        var output = await ShellAsync(Documentation.Commands("README.md", "As a system")[1] + "\nprintf 'the key %s\\n' \"$KEY\"");
        var key = output.Split('\n').Single(line => line.StartsWith("the key ", StringComparison.Ordinal))["the key ".Length..];
        _api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return key;
    }

    /// <summary>Submits a run by HTTP.</summary>
    public async Task<Guid> SubmitAsync(object specification)
    {
        using var response = await _api.PostAsJsonAsync("/api/v1/runs", specification);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, $"refused: {body}");
        return body.GetProperty("summary").GetProperty("runId").GetGuid();
    }

    /// <summary>Waits until a run is complete, also while servers are restarted.</summary>
    /// <returns>The run in full.</returns>
    public async Task<JsonElement> WaitForCompletionAsync(Guid runId)
    {
        var run = await WaitAsync(
            $"run {runId} to end",
            () => TryGetAsync($"/api/v1/runs/{runId}"),
            run => run is { } known && StateOf(known) is "completed" or "failed" or "cancelled"
        );
        Assert.True(StateOf(run!.Value) == "completed", $"{run}");
        return run.Value;
    }

    /// <summary>A run's outcome: what must be the same whatever happened meanwhile.</summary>
    public async Task<Outcome> OutcomeAsync(Guid runId)
    {
        var run = await WaitForCompletionAsync(runId);
        return new Outcome(
            run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
            run.GetProperty("headSha256").GetString()!,
            await QueryAsync($"select max(epoch) || ' epochs, ' || count(*) from epoch_metrics where run_id = '{runId}'")
        );
    }

    /// <summary>A value of the catalog.</summary>
    public async Task<string> QueryAsync(string sql)
    {
        var database = Assert.Single(await ContainersAsync("postgres"));
        return await Engine.RunAsync(
            "exec",
            database.Id,
            "psql",
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--username",
            "administrator",
            "--dbname",
            "distributed",
            "--command",
            sql
        );
    }

    /// <summary>Polls a value until it fits.</summary>
    /// <exception cref="TimeoutException">It did not in time.</exception>
    public async Task<T> WaitAsync<T>(string what, Func<Task<T>> read, Func<T, bool> fits)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var timer = new PeriodicTimer(PollInterval);
        while (true)
        {
            var value = await read();
            if (fits(value))
            {
                return value;
            }

            try
            {
                await timer.WaitForNextTickAsync(timeout.Token);
            }
            catch (OperationCanceledException exception)
            {
                var (_, logs) = await TryShellAsync("docker compose ps; docker compose logs --no-color --tail=15");
                var seen = value is IEnumerable<object> all ? string.Join('\n', all) : value?.ToString();
                throw new TimeoutException($"Waited {Patience.TotalSeconds:F0} s for {what}; last seen: {seen}\n{logs}", exception);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        if (File.Exists(Path.Combine(Folder, ".env")))
        {
            await TryShellAsync("docker compose down --volumes --timeout 5");
        }

        _folder.Delete(recursive: true);
    }

    private static string? StateOf(JsonElement run) => run.GetProperty("summary").GetProperty("state").GetString();

    private async Task<JsonElement?> TryGetAsync(string path)
    {
        try
        {
            using var response = await _api.GetAsync(new Uri(path, UriKind.Relative));
            return response.IsSuccessStatusCode ? await response.Content.ReadFromJsonAsync<JsonElement>() : null;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            // The API, or the database behind it, is being started again.
            return null;
        }
    }

    private static void Copy(DirectoryInfo from, DirectoryInfo to)
    {
        foreach (var file in from.GetFiles())
        {
            file.CopyTo(Path.Combine(to.FullName, file.Name));
        }

        foreach (var folder in from.GetDirectories().Where(folder => !NotCopied.Contains(folder.Name)))
        {
            Copy(folder, to.CreateSubdirectory(folder.Name));
        }
    }
}

/// <summary>What a run came to.</summary>
/// <param name="Accuracy">On the test images.</param>
/// <param name="Head">The hash of the head that was tested.</param>
/// <param name="Epochs">The last of them, and how many were measured: each is counted once.</param>
internal sealed record Outcome(double Accuracy, string Head, string Epochs);
