using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;

namespace Distributed.Observability.Tests;

/// <summary>A Prometheus with our alerts that scrapes every second what it is told to. Disposal ends it and removes what it kept.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-prometheus-");
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(30) };
    private HostProcess? _process;

    private PrometheusServer() => Address = new Uri($"http://127.0.0.1:{FreePort.Next()}");

    public Uri Address { get; }

    /// <summary>When it began.</summary>
    public DateTimeOffset Begun { get; } = DateTimeOffset.UtcNow;

    public static async Task<PrometheusServer> StartAsync()
    {
        var server = new PrometheusServer();
        try
        {
            await File.WriteAllTextAsync(server.InFolder("alerts.yml"), AlertRules.Hasty);
            await File.WriteAllTextAsync(
                server.InFolder("prometheus.yml"),
                """
                global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
                rule_files: [alerts.yml]
                scrape_configs:
                  - job_name: all
                    file_sd_configs:
                      - {files: [targets.json], refresh_interval: 1s}
                """
            );
            await server.ScrapeAsync([]);
            server._process = HostProcess.Start(
                TestEnvironment.PrometheusPath!,
                [
                    $"--config.file={server.InFolder("prometheus.yml")}",
                    $"--storage.tsdb.path={server.InFolder("data")}",
                    $"--web.listen-address=127.0.0.1:{server.Address.Port}",
                ]
            );
            await server._process.WaitForHealthyAsync(new Uri(server.Address, "/-/ready"));
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>From now on it scrapes these and no others, as where names of containers come and go.</summary>
    public async Task ScrapeAsync(IEnumerable<(string Job, Uri Address)> targets)
    {
        var json = targets.Select(target => new { targets = new[] { target.Address.Authority }, labels = new { job = target.Job } });
        await File.WriteAllTextAsync(InFolder("targets.partial"), JsonSerializer.Serialize(json));
        File.Move(InFolder("targets.partial"), InFolder("targets.json"), overwrite: true);
    }

    /// <summary>What an expression is now: labels and value.</summary>
    public Task<JsonElement> QueryAsync(string expression) => AskAsync("query", new Dictionary<string, string> { ["query"] = expression });

    /// <summary>What an expression was since the beginning, by the second.</summary>
    public Task<JsonElement> QueryRangeAsync(string expression) =>
        AskAsync(
            "query_range",
            new Dictionary<string, string>
            {
                ["query"] = expression,
                ["start"] = Begun.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                ["end"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                ["step"] = "1",
            }
        );

    /// <summary>Whether an alert fires now for something that has these labels.</summary>
    public async Task<bool> FiresAsync(string alert, string labels = "") =>
        (
            await QueryAsync($"ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"{(labels.Length > 0 ? "," : "")}{labels}}}")
        ).GetArrayLength() > 0;

    /// <summary>The rules as it has read them, with what became of each.</summary>
    public async Task<JsonElement> RulesAsync() =>
        (await _client.GetFromJsonAsync<JsonElement>(new Uri(Address, "/api/v1/rules"))).GetProperty("data");

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _client.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<JsonElement> AskAsync(string path, Dictionary<string, string> parameters)
    {
        using var form = new FormUrlEncodedContent(parameters);
        using var response = await _client.PostAsync(new Uri(Address, $"/api/v1/{path}"), form);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.GetProperty("status").GetString() == "success"
            ? answer.GetProperty("data").GetProperty("result")
            : throw new InvalidOperationException($"{parameters["query"]}: {answer}");
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);
}
