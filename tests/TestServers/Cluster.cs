using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Distributed.Client;
using Npgsql;

namespace Distributed.TestServers;

/// <summary>All hosts as processes, over a broker, a database and a volume of their own.</summary>
public sealed class Cluster : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly ConcurrentDictionary<string, HostProcess> _hosts = [];
    private readonly Dictionary<string, string?> _environment;
    private readonly PostgresDatabase _database;
    private readonly NpgsqlDataSource _catalog;
    private readonly DirectoryInfo? _ownVolume;
    private readonly ConcurrentDictionary<string, Uri> _addresses = [];
    private readonly ConcurrentBag<HttpClient> _clients = [];
    private readonly string? _logs;
    private AuthenticationHeaderValue? _key;
    private HttpClient _api = new();
    private readonly Dictionary<string, IReadOnlyDictionary<string, string?>> _ofService = [];

    private Cluster(
        PostgresDatabase database,
        RabbitMqVirtualHost broker,
        IReadOnlyDictionary<string, string?> settings,
        string? volume,
        string? logs
    )
    {
        (_database, Broker, _logs) = (database, broker, logs);
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

    /// <summary>The services that a cluster starts with, one host each.</summary>
    public static IReadOnlyList<string> Services { get; } = ["AdminApi", "Ingestion", "Training", "Evaluation"];

    /// <summary>Its part of the broker.</summary>
    public RabbitMqVirtualHost Broker { get; }

    /// <summary>A client of the API's host of the moment.</summary>
    public HttpClient Api => _api;

    /// <summary>The API by its client library. It does not come again where it is told to: what is refused is seen.</summary>
    public DistributedClient Client => new(_api) { Patience = TimeSpan.Zero };

    /// <summary>The catalog.</summary>
    public NpgsqlDataSource Catalog => _catalog;

    /// <summary>The catalog's database.</summary>
    public PostgresDatabase Database => _database;

    /// <summary>The volume's root.</summary>
    public string Volume => _environment["Volume__Root"]!;

    /// <summary>The hosts that were started and not ended by us, by name.</summary>
    public IReadOnlyDictionary<string, HostProcess> Hosts => _hosts;

    /// <summary>What the hosts wrote so far.</summary>
    public IEnumerable<string> Lines => _hosts.Values.SelectMany(host => host.Lines);

    /// <param name="settings">Settings of all hosts.</param>
    /// <param name="prepare">Works on the new database, broker and volume before any host starts.</param>
    /// <param name="volume">The volume's root; a directory of its own where null.</param>
    /// <param name="servers">Broker and database; those of the test run where null.</param>
    /// <param name="logs">A folder that is to have the output of hosts that have ended.</param>
    public static async Task<Cluster> StartAsync(
        IReadOnlyDictionary<string, string?>? settings = null,
        Func<Cluster, Task>? prepare = null,
        string? volume = null,
        ServerAddresses? servers = null,
        string? logs = null
    )
    {
        var cluster = await CreateAsync(settings, prepare, volume, servers, logs);
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

    /// <summary>The same without any host.</summary>
    public static async Task<Cluster> CreateAsync(
        IReadOnlyDictionary<string, string?>? settings = null,
        Func<Cluster, Task>? prepare = null,
        string? volume = null,
        ServerAddresses? servers = null,
        string? logs = null
    )
    {
        var cluster = new Cluster(
            await PostgresDatabase.CreateAsync(servers?.Postgres),
            await RabbitMqVirtualHost.CreateAsync(servers),
            settings ?? new Dictionary<string, string?>(),
            volume,
            logs
        );
        try
        {
            if (prepare is not null)
            {
                await prepare(cluster);
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Finds the program of a service; that of the build unless a test says otherwise before hosts start.</summary>
    public Func<string, string> Programs { get; set; } = TestEnvironment.ServiceDll;

    /// <summary>Gives one service, or one host by its name, settings of its own.</summary>
    public void Configure(string service, IReadOnlyDictionary<string, string?> settings) => _ofService[service] = settings;

    /// <summary>Sends a key with every request to the API.</summary>
    public void UseKey(string key)
    {
        _key = new("Bearer", key);
        _api.DefaultRequestHeaders.Authorization = _key;
    }

    /// <summary>Starts a host of a service; the one before it of the same name must have ended.</summary>
    /// <param name="service">The service.</param>
    /// <param name="name">What the host is called here; as its service where null.</param>
    public HostProcess Start(string service, string? name = null) => StartProgram(service, name, Programs(service));

    /// <summary>Starts another program in the place of a service.</summary>
    public HostProcess StartProgram(string service, string? name, string dll, params string[] arguments)
    {
        name ??= service;
        var port = FreePort.Next();
        var environment = new Dictionary<string, string?>(_environment) { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}" };
        foreach (
            var (key, value) in new[] { service, name }
                .Distinct(StringComparer.Ordinal)
                .SelectMany(own => _ofService.GetValueOrDefault(own) ?? new Dictionary<string, string?>())
        )
        {
            environment[key] = value;
        }

        var host = HostProcess.StartService(dll, arguments, environment: environment);
        _hosts[name] = host;
        _addresses[name] = new Uri($"http://127.0.0.1:{port}");
        if (service == "AdminApi")
        {
            // Another client: an address cannot be changed after a request, and requests to the one before may still be under way.
            _clients.Add(_api);
            _api = new HttpClient { BaseAddress = _addresses[name] };
            _api.DefaultRequestHeaders.Authorization = _key;
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

    /// <summary>Submits a run.</summary>
    /// <param name="specification">What is asked for.</param>
    /// <param name="key">The idempotency key, where the request may be repeated.</param>
    /// <exception cref="InvalidOperationException">It was refused.</exception>
    /// <exception cref="HttpRequestException">There was no answer.</exception>
    public async Task<Guid> SubmitAsync(object specification, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs") { Content = JsonContent.Create(specification) };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        using var response = await _api.SendAsync(request);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>();
        return response.IsSuccessStatusCode
            ? body.GetProperty("summary").GetProperty("runId").GetGuid()
            : throw new InvalidOperationException($"The run was refused: {body}");
    }

    /// <summary>Asks the API.</summary>
    public Task<JsonElement> GetAsync(string path) => _api.GetFromJsonAsync<JsonElement>(path);

    /// <summary>What a host says of its health; <paramref name="probe"/> is live or ready.</summary>
    public async Task<(HttpStatusCode Status, string Body)> HealthAsync(string service, string probe)
    {
        using var response = await _api.GetAsync(new Uri(_addresses[service], $"/health/{probe}"));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Where the host of a name listens.</summary>
    public Uri Address(string name) => _addresses[name];

    /// <summary>A host by its name.</summary>
    public HostProcess Host(string name) => _hosts[name];

    /// <summary>Asks the API for a page.</summary>
    public Task<string> GetTextAsync(string path) => _api.GetStringAsync(path);

    /// <summary>Asks a host for a page.</summary>
    public Task<string> GetTextAsync(string service, string path) => _api.GetStringAsync(new Uri(_addresses[service], path));

    /// <summary>Waits until a run is complete.</summary>
    /// <returns>The run in full.</returns>
    /// <exception cref="InvalidOperationException">It failed or was cancelled.</exception>
    public async Task<JsonElement> WaitForCompletionAsync(Guid runId)
    {
        var state = await WaitAsync(
            $"run {runId} to end",
            () =>
                QueryAsync<string>(
                    $"select coalesce((select state || coalesce(': ' || failure, '') from runs where id = '{runId}' and finished_at is not null), '')"
                ),
            text => text.Length > 0
        );
        return state == "Completed"
            ? await GetAsync($"/api/v1/runs/{runId}")
            : throw new InvalidOperationException($"Run {runId} is {state}\n{LastLines()}");
    }

    /// <summary>A value from the catalog; a database that is being started again is waited for.</summary>
    public async Task<T> QueryAsync<T>(string sql) => (T)(await ReadAsync(sql, reader => reader.GetValue(0))).Single()!;

    /// <summary>Rows from the catalog; a database that is being started again is waited for.</summary>
    public async Task<IReadOnlyList<T>> ReadAsync<T>(string sql, Func<NpgsqlDataReader, T> read)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                await using var command = _catalog.CreateCommand(sql);
                await using var reader = await command.ExecuteReaderAsync(timeout.Token);
                var rows = new List<T>();
                while (await reader.ReadAsync(timeout.Token))
                {
                    rows.Add(read(reader));
                }

                return rows;
            }
            catch (NpgsqlException exception)
                when (!timeout.IsCancellationRequested
                    && (exception is not PostgresException { SqlState: var state } || state[..2] is "08" or "57")
                )
            {
                await Task.Delay(PollInterval);
            }
        }
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
                throw new TimeoutException($"Waited {Patience.TotalSeconds:F0} s for {what}; last seen: {value}\n{LastLines()}", exception);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _hosts.Keys)
        {
            await ForgetAsync(name);
        }

        _api.Dispose();
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await _catalog.DisposeAsync();
        await _database.DisposeAsync();
        await Broker.DisposeAsync();
        _ownVolume?.Delete(recursive: true);
    }

    private async Task WaitForReadyAsync()
    {
        await Task.WhenAll(
            _hosts.Values.Select(host =>
                host.WaitForLineAsync(line => line.Contains("Now listening on", StringComparison.Ordinal), Patience)
            )
        );
        await _hosts["AdminApi"].WaitForHealthyAsync(new Uri(_api.BaseAddress!, "/health/ready"), Patience);
    }

    /// <summary>Lets go of a host, which ends where it has not yet.</summary>
    public async Task ForgetAsync(string service)
    {
        if (_hosts.TryRemove(service, out var host))
        {
            await host.DisposeAsync();
            if (_logs is not null)
            {
                Directory.CreateDirectory(_logs);
                await File.WriteAllLinesAsync(Path.Combine(_logs, $"{_database.Name}-{service}-{host.Id}.log"), host.Lines);
            }
        }
    }

    private string LastLines() =>
        string.Join('\n', _hosts.SelectMany(host => host.Value.Lines.TakeLast(15).Select(line => $"{host.Key}: {line}")));
}
