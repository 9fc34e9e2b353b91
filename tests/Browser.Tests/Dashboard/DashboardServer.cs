using Distributed.Catalog;
using Distributed.Client;
using Distributed.Contracts;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Browser.Tests.Dashboard;

/// <summary>The one-process host, which asks everybody for a key, with a run that is complete and a model made of it.</summary>
public sealed class DashboardServer : IAsyncLifetime
{
    /// <summary>The model whose first version is the first run's head.</summary>
    public const string Model = "shapes";

    private readonly string _volume = Directory.CreateTempSubdirectory("dashboard-").FullName;
    private readonly string _copies = Directory.CreateTempSubdirectory("copies-").FullName;
    private HostProcess? _process;

    /// <summary>Where it listens.</summary>
    public Uri Address { get; } = new($"http://127.0.0.1:{FreePort.Next()}");

    /// <summary>A key that may do everything.</summary>
    public string OperatorKey { get; private set; } = "";

    /// <summary>A key that may look.</summary>
    public string ReaderKey { get; private set; } = "";

    /// <summary>The complete run.</summary>
    public Guid RunId { get; private set; }

    /// <summary>Another one on the same images.</summary>
    public Guid OtherRunId { get; private set; }

    /// <summary>The data set of another one, which has the same picture in both classes and both splits, and the pixels of another one in two files.</summary>
    public string DatasetWithCopies { get; private set; } = "";

    /// <summary>A run that failed: its data set is not there.</summary>
    public Guid FailedRunId { get; private set; }

    /// <summary>The API, as an operator.</summary>
    public DistributedClient Client { get; private set; } = null!;

    /// <summary>A run of seconds.</summary>
    public static RunSpecification Small { get; } = new() { InputSize = 32, Precision = Precision.Fp32 };

    /// <summary>A run of hours, which is to be cancelled.</summary>
    public static RunSpecification Endless { get; } =
        Small with
        {
            Name = "long one",
            Training = new()
            {
                Optimizer = HeadOptimizer.Adam,
                Epochs = 10_000,
                Patience = 10_000,
                BatchSize = 1,
            },
        };

    public async ValueTask InitializeAsync()
    {
        _process = HostProcess.StartService(
            TestEnvironment.ServiceDll("Standalone"),
            ["serve", "--urls", Address.ToString(), "--volume", _volume],
            new Dictionary<string, string?>
            {
                ["Api__Keys"] = "required",
                ["Ingestion__SampleTrainImages"] = "200",
                ["Ingestion__SampleTestImages"] = "100",
                ["Training__Device"] = "cpu",
                ["Training__Slice"] = "00:00:00.200",
            }
        );
        await _process.WaitForHealthyAsync(new Uri(Address, "/health/ready"));
        OperatorKey = await CreateKeyAsync("ada", "operator");
        ReaderKey = await CreateKeyAsync("rita", "reader");
        Client = new DistributedClient(Address, OperatorKey);
        FailedRunId = (await Client.SubmitRunAsync(Small with { Name = "not there", Dataset = "/nowhere/at/all" })).RunId;
        RunId = (
            await Client.SubmitRunAsync(
                Small with
                {
                    Name = "ten shapes",
                    Tags = ["sample"],
                    Training = new() { Optimizer = HeadOptimizer.Adam, Epochs = 12 },
                }
            )
        ).RunId;
        OtherRunId = (
            await Client.SubmitRunAsync(
                Small with
                {
                    Name = "by few",
                    Training = new() { Optimizer = HeadOptimizer.Adam, Epochs = 1 },
                }
            )
        ).RunId;
        var withCopies = await Client.SubmitRunAsync(Small with { Name = "with copies", Dataset = DrawCopies() });
        Assert.Equal(RunState.Completed, (await Client.WaitForRunAsync(OtherRunId)).State);
        var ended = await Client.WaitForRunAsync(RunId);
        Assert.Equal((RunState.Completed, ended.Failure), (ended.State, null));
        Assert.Equal(RunState.Failed, (await Client.WaitForRunAsync(FailedRunId)).State);
        ended = await Client.WaitForRunAsync(withCopies.RunId);
        Assert.Equal((RunState.Completed, ended.Failure), (ended.State, null));
        DatasetWithCopies = ended.DatasetSha256!;
        await Client.RegisterVersionAsync(Model, RunId, "the first");
        await Client.SaveViewAsync("best first", "?state=completed&sort=-accuracy");
        await Client.AddWebhookAsync("https://hooks.example/distributed", ["failed"]);
    }

    /// <summary>Changes what stands in the catalog, as if it had come to that.</summary>
    public async Task ChangeCatalogAsync(Func<CatalogContext, Task> change)
    {
        await using var services = new ServiceCollection()
            .AddLogging()
            .AddCatalog($"Data Source={Path.Combine(_volume, "catalog.db")};Pooling=False")
            .BuildServiceProvider();
        await using var context = await services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync();
        await change(context);
    }

    /// <summary>Every page, with a name for its picture.</summary>
    public async Task<IReadOnlyList<(string Name, string Path)>> PagesAsync()
    {
        var dataset = (await Client.GetRunAsync(RunId)).DatasetSha256;
        return
        [
            ("runs", "/runs"),
            ("runs-view", "/runs?state=completed&where=accuracy>0.1&sort=-accuracy"),
            ("runs-none", "/runs?name=nothing-like-it"),
            ("run", $"/runs/{RunId:D}"),
            ("run-failed", $"/runs/{FailedRunId:D}"),
            ("run-jobs", $"/runs/{FailedRunId:D}/jobs"),
            ("run-labels", $"/runs/{RunId:D}/labels"),
            ("run-images", $"/runs/{RunId:D}/images"),
            ("map", $"/runs/{RunId:D}/map?left=0&right=30000"),
            ("map-mistakes", $"/runs/{RunId:D}/map?by=mistake"),
            ("map-missing", $"/runs/{FailedRunId:D}/map"),
            ("compare", $"/runs/compare?run={RunId:D}&run={OtherRunId:D}"),
            ("run-missing", $"/runs/{Guid.Empty:D}"),
            ("new-run", "/runs/new"),
            ("models", "/models"),
            ("model", $"/models/{Model}"),
            ("datasets", "/datasets"),
            ("dataset", $"/datasets/{dataset}"),
            ("dataset-copies", $"/datasets/{DatasetWithCopies}"),
            ("duplicates", $"/datasets/{DatasetWithCopies}/duplicates"),
            ("duplicates-none", $"/datasets/{dataset}/duplicates"),
            ("workers", "/workers"),
            ("queues", "/queues"),
            ("audit", "/audit"),
            ("settings", "/settings"),
            ("not-found", "/not-found"),
        ];
    }

    /// <summary>A new key.</summary>
    public async Task<string> CreateKeyAsync(string name, string role)
    {
        await using var command = HostProcess.StartService(
            TestEnvironment.ServiceDll("Standalone"),
            ["keys", "create", name, "--role", role, "--volume", _volume]
        );
        await command.WaitForExitAsync();
        return command.Lines.Single(line => line.StartsWith("dstk_", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        Directory.Delete(_volume, recursive: true);
        Directory.Delete(_copies, recursive: true);
    }

    private string DrawCopies()
    {
        string[] classes = ["even", "odd"];
        for (var picture = 0; picture < 24; picture++)
        {
            Write(picture < 16 ? "train" : "test", classes[picture % 2], picture, TinyPng.Draw(picture));
        }

        Write("test", "odd", 24, TinyPng.Draw(0));
        // The same pixels in another file: bytes after the end of a picture are read over.
        Write("test", "even", 25, [.. TinyPng.Draw(2), 0]);
        return _copies;

        void Write(string split, string className, int picture, byte[] content)
        {
            var folder = Directory.CreateDirectory(Path.Combine(_copies, split, className)).FullName;
            File.WriteAllBytes(Path.Combine(folder, $"{picture:D2}.png"), content);
        }
    }
}

/// <summary>Tests that look at the same server.</summary>
[CollectionDefinition(Name)]
public sealed class DashboardTests : ICollectionFixture<DashboardServer>
{
    public const string Name = "dashboard";
}
