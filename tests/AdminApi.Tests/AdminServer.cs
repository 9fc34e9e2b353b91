using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceDefaults;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Distributed.AdminApi.Tests;

/// <summary>The admin service with its own catalog, volume and bus, on a port of its own.</summary>
internal sealed class AdminServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly WebApplication _app;
    private readonly string _directory;

    private AdminServer(WebApplication app, string directory)
    {
        (_app, _directory) = (app, directory);
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Where its files are, the catalog among them.</summary>
    public string Directory => _directory;

    /// <summary>The final events of runs that were published so far.</summary>
    public ConcurrentQueue<object> Events { get; } = new();

    /// <param name="catalog">Its database; a new SQLite file where null.</param>
    /// <param name="settings">Its other settings; without any, whoever comes from this machine needs no key.</param>
    public static async Task<AdminServer> StartAsync(string? catalog = null, params (string Key, string Value)[] settings)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"admin-{Guid.NewGuid():N}");
        System.IO.Directory.CreateDirectory(directory);
        var builder = ServiceHost.CreateBuilder(["--urls", "http://127.0.0.1:0"], defaultPort: 0);
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["Volume:Root"] = directory,
                ["ConnectionStrings:Catalog"] = catalog ?? $"Data Source={Path.Combine(directory, "catalog.db")};Pooling=False",
                ["ConnectionStrings:RabbitMq"] = "in-memory",
                ["Api:Keys"] = "loopback",
            }
        );
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        var consumers = new ConsumerSet();
        builder.AddAdminApi(consumers);
        builder.AddServiceDefaults("admin-api", consumers);
        var app = builder.Build();
        app.MapServiceDefaults();
        app.MapAdminApi();
        await app.StartAsync();
        var server = new AdminServer(app, directory);
        if (catalog is null)
        {
            await app.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(Patience);
            await app.Services.GetRequiredService<HostChecks>().Passed.WaitAsync(Patience);
        }

        var observer = app
            .Services.GetRequiredService<IBusControl>()
            .ConnectReceiveEndpoint(
                "observer",
                endpoint =>
                {
                    endpoint.Handler<RunCancelled>(server.KeepAsync);
                    endpoint.Handler<RunFailed>(server.KeepAsync);
                    endpoint.Handler<RunEvaluated>(server.KeepAsync);
                }
            );
        await observer.Ready.WaitAsync(Patience);
        return server;
    }

    public async Task<T> QueryAsync<T>(Func<CatalogContext, Task<T>> query)
    {
        await using var context = await Services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync();
        return await query(context);
    }

    public Task AddAsync(params object[] rows) =>
        QueryAsync(context =>
        {
            context.AddRange(rows);
            // What is trained of a run belongs to its trial.
            context.Trials.AddRange(rows.OfType<Run>().Select(run => Trial.Of(run.Id, number: 0, new RunSpecification())));
            return context.SaveChangesAsync();
        });

    public async Task<HttpResponseMessage> PostAsync(string body, string? key = null, string mediaType = "application/json")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs")
        {
            Content = new StringContent(body, Encoding.UTF8, mediaType),
        };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await Client.SendAsync(request);
    }

    /// <summary>Submits a run that must be accepted.</summary>
    public async Task<Guid> SubmitAsync(string body = "{}", string? key = null)
    {
        using var response = await PostAsync(body, key);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return (await JsonAsync(response)).GetProperty("summary").GetProperty("runId").GetGuid();
    }

    public async Task<JsonElement> GetAsync(string path)
    {
        using var response = await Client.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await JsonAsync(response);
    }

    /// <summary>The body of an error, which is always a problem of RFC 9457.</summary>
    public static async Task<JsonElement> ProblemAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        Assert.Equal((status, "application/problem+json"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        var problem = await JsonAsync(response);
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        return problem;
    }

    public async Task<JsonElement> GetProblemAsync(string path, HttpStatusCode status)
    {
        using var response = await Client.GetAsync(path);
        return await ProblemAsync(response, status);
    }

    public static Task<JsonElement> JsonAsync(HttpResponseMessage response) => response.Content.ReadFromJsonAsync<JsonElement>();

    public async Task<T> EventAsync<T>(Func<T, bool> wanted)
    {
        T? found = default;
        await UntilAsync(() => Task.FromResult((found = Events.OfType<T>().FirstOrDefault(wanted)) is not null));
        return found!;
    }

    /// <summary>Waits until something holds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        System.IO.Directory.Delete(_directory, recursive: true);
    }

    private Task KeepAsync<T>(ConsumeContext<T> context)
        where T : class
    {
        Events.Enqueue(context.Message);
        return Task.CompletedTask;
    }
}
