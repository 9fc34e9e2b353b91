using System.Net;
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
    private readonly DirectoryInfo? _ownVolume;
    private readonly Dictionary<string, Uri> _addresses = [];
    private readonly HttpClient _api = new();
    private readonly Dictionary<string, IReadOnlyDictionary<string, string?>> _ofService = [];

    private Cluster(PostgresDatabase database, RabbitMqVirtualHost broker, IReadOnlyDictionary<string, string?> settings, string? volume)
    {
        (_database, Broker) = (database, broker);
        _catalog = NpgsqlDataSource.Create(database.ConnectionString);
        _ownVolume = volume is null ? Directory.CreateTempSubdirectory("distributed-system-") : null;
        _environment = new Dictionary<string, string?>(settings)
        {
            ["ConnectionStrings__Catalog"] = database.ConnectionString,
            ["ConnectionStrings__RabbitMq"] = broker.Uri.ToString(),
            ["Volume__Root"] = volume ?? _ownVolume!.FullName,
            ["Data__Roots__0"] = TestEnvironment.TestDataDirectory,
        };
        _environment.TryAdd("Api__Keys", "loopback");
    }

    public RabbitMqVirtualHost Broker { get; }

    public HttpClient Api => _api;

    public NpgsqlDataSource Catalog => _catalog;

    public PostgresDatabase Database => _database;

    public string Volume => _environment["Volume__Root"]!;

    /// <summary>What the hosts wrote so far.</summary>
    public IEnumerable<string> Lines => _hosts.Values.SelectMany(host => host.Lines);

    /// <param name="settings">Settings of all hosts.</param>
    /// <param name="prepare">Works on the new database, broker and volume before any host starts.</param>
    /// <param name="volume">The volume's root; a directory of its own where null.</param>
    public static async Task<Cluster> StartAsync(IReadOnlyDictionary<string, string?>? settings = null, Func<Cluster, Task>? prepare = null, string? volume = null)
    {
        var cluster = new Cluster(await PostgresDatabase.CreateAsync(), await RabbitMqVirtualHost.CreateAsync(), settings ?? new Dictionary<string, string?>(), volume);
        try
        {
            if (prepare is not null)
            {
                await prepare(cluster);
            }

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

    /// <summary>Gives one service settings of its own.</summary>
    public void Configure(string service, IReadOnlyDictionary<string, string?> settings) => _ofService[service] = settings;

    /// <summary>Sends a key with every request to the API.</summary>
    public void UseKey(string key) => _api.DefaultRequestHeaders.Authorization = new("Bearer", key);

    /// <summary>Starts a host of a service; the one before it of the same name must have ended.</summary>
    /// <param name="service">The service.</param>
    /// <param name="name">What the host is called here; as its service where null.</param>
    public HostProcess Start(string service, string? name = null) => StartProgram(service, name, TestEnvironment.ServiceDll(service));

    /// <summary>Starts another program in the place of a service.</summary>
    public HostProcess StartProgram(string service, string? name, string dll, params string[] arguments)
    {
        name ??= service;
        var port = FreePort.Next();
        var environment = new Dictionary<string, string?>(_environment) { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}" };
        foreach (var (key, value) in _ofService.GetValueOrDefault(service) ?? new Dictionary<string, string?>())
        {
            environment[key] = value;
        }

        var host = HostProcess.StartService(dll, arguments, environment: environment);
        _hosts[name] = host;
        _addresses[name] = new Uri($"http://127.0.0.1:{port}");
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
        await ForgetAsync(service);
    }

    /// <summary>Asks the host of a service to shut down, and waits until it is gone.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> TerminateAsync(string service, TimeSpan limit)
    {
        _hosts[service].Terminate();
        var code = await _hosts[service].WaitForExitAsync(limit);
        await ForgetAsync(service);
        return code;
    }

    public async Task<Guid> SubmitAsync(object specification)
    {
        using var response = await _api.PostAsJsonAsync("/api/v1/runs", specification);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, body.ToString());
        return body.GetProperty("summary").GetProperty("runId").GetGuid();
    }

    public Task<JsonElement> GetAsync(string path) => _api.GetFromJsonAsync<JsonElement>(path);

    /// <summary>What a host says of its health; <paramref name="probe"/> is live or ready.</summary>
    public async Task<(HttpStatusCode Status, string Body)> HealthAsync(string service, string probe)
    {
        using var response = await _api.GetAsync(new Uri(_addresses[service], $"/health/{probe}"));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public HostProcess Host(string service) => _hosts[service];

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
        _ownVolume?.Delete(recursive: true);
    }

    private async Task WaitForReadyAsync()
    {
        await Task.WhenAll(_hosts.Values.Select(host => host.WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal), Patience)));
        await _hosts["AdminApi"].WaitForHealthyAsync(new Uri(_api.BaseAddress!, "/health/ready"), Patience);
    }

    private async Task ForgetAsync(string service)
    {
        if (_hosts.Remove(service, out var host))
        {
            await host.DisposeAsync();
        }
    }

    private string LastLines() =>
        string.Join('\n', _hosts.SelectMany(host => host.Value.Lines.TakeLast(15).Select(line => $"{host.Key}: {line}")));
}
