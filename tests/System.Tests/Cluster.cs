using System.Net.Http.Json;
using System.Text.Json;
using Distributed.TestServers;
using Npgsql;

namespace Distributed.System.Tests;

/// <summary>All hosts as processes, over a broker, a database and a volume of their own.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private static readonly string[] Services = ["AdminApi", "Ingestion", "Training", "Evaluation"];
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly Dictionary<string, HostProcess> _hosts = [];
    private readonly Dictionary<string, string?> _environment;
    private readonly PostgresDatabase _database;
    private readonly NpgsqlDataSource _catalog;
    private readonly DirectoryInfo _volume;
    private readonly HttpClient _api = new();

    private Cluster(PostgresDatabase database, RabbitMqVirtualHost broker, IReadOnlyDictionary<string, string?> settings)
    {
        (_database, Broker) = (database, broker);
        _catalog = NpgsqlDataSource.Create(database.ConnectionString);
        _volume = Directory.CreateTempSubdirectory("distributed-system-");
        _environment = new Dictionary<string, string?>(settings)
        {
            ["ConnectionStrings__Catalog"] = database.ConnectionString,
            ["ConnectionStrings__RabbitMq"] = broker.Uri.ToString(),
            ["Volume__Root"] = _volume.FullName,
            ["Data__Roots__0"] = TestEnvironment.TestDataDirectory,
        };
    }

    public RabbitMqVirtualHost Broker { get; }

    public static async Task<Cluster> StartAsync(IReadOnlyDictionary<string, string?>? settings = null)
    {
        var cluster = new Cluster(await PostgresDatabase.CreateAsync(), await RabbitMqVirtualHost.CreateAsync(), settings ?? new Dictionary<string, string?>());
        try
        {
            foreach (var service in Services)
            {
                cluster.Start(service);
            }

            await cluster.WaitForReadyAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a host of a service; the one before it must have ended.</summary>
    public HostProcess Start(string service) => Start(service, TestEnvironment.ServiceDll(service));

    /// <summary>Starts another program in the place of a service.</summary>
    public HostProcess Start(string service, string dll, params string[] arguments)
    {
        var port = FreePort.Next();
        var host = HostProcess.StartService(
            dll,
            arguments,
            environment: new Dictionary<string, string?>(_environment) { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}" });
        _hosts[service] = host;
        if (service == "AdminApi")
        {
            _api.BaseAddress = new Uri($"http://127.0.0.1:{port}");
        }

        return host;
    }

    /// <summary>Kills the host of a service as a power cut would, and waits until it is gone.</summary>
    public async Task KillAsync(string service)
    {
        _hosts[service].Kill();
        await _hosts[service].WaitForExitAsync();
        await _hosts[service].DisposeAsync();
    }

    public async Task<Guid> SubmitAsync(object specification)
    {
        using var response = await _api.PostAsJsonAsync("/api/v1/runs", specification);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, body.ToString());
        return body.GetProperty("summary").GetProperty("runId").GetGuid();
    }

    public Task<JsonElement> GetAsync(string path) => _api.GetFromJsonAsync<JsonElement>(path);

    public Task<string> GetTextAsync(string path) => _api.GetStringAsync(path);

    /// <summary>Waits until a run is complete.</summary>
    /// <returns>The run in full.</returns>
    public async Task<JsonElement> WaitForCompletionAsync(Guid runId)
    {
        var state = await WaitAsync(
            $"run {runId} to end",
            () => QueryAsync<string>($"select coalesce((select state || coalesce(': ' || failure, '') from runs where id = '{runId}' and finished_at is not null), '')"),
            text => text.Length > 0);
        Assert.Equal("Completed", state);
        return await GetAsync($"/api/v1/runs/{runId}");
    }

    public async Task<T> QueryAsync<T>(string sql)
    {
        await using var command = _catalog.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Polls a value until it fits.</summary>
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
            catch (OperationCanceledException)
            {
                Assert.Fail($"Waited {Patience.TotalSeconds:F0} s for {what}; last seen: {value}\n{LastLines()}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts.Values)
        {
            await host.DisposeAsync();
        }

        _api.Dispose();
        await _catalog.DisposeAsync();
        await _database.DisposeAsync();
        await Broker.DisposeAsync();
        _volume.Delete(recursive: true);
    }

    private async Task WaitForReadyAsync()
    {
        await Task.WhenAll(_hosts.Values.Select(host => host.WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal), Patience)));
        await _hosts["AdminApi"].WaitForHealthyAsync(new Uri(_api.BaseAddress!, "/health/ready"), Patience);
    }

    private string LastLines() =>
        string.Join('\n', _hosts.SelectMany(host => host.Value.Lines.TakeLast(15).Select(line => $"{host.Key}: {line}")));
}
