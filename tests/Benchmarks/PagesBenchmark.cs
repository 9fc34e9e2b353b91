using Distributed.Catalog;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Distributed.Benchmarks;

/// <summary>
/// Every page of the dashboard in Chromium, with 100,000 runs and a data set of 1,000,000 images in the catalog. Milliseconds until the first
/// paint, and until the page has all its content and its connection. The first opening after the host's start is reported separately: code is
/// compiled then, and the files of the data set are read.
/// </summary>
internal sealed class PagesBenchmark : IBenchmark
{
    private const int Runs = 100_000,
        Images = 1_000_000,
        Rounds = 7;

    /// <summary>When a page has its heading, what it waited for has come, and its connection stands.</summary>
    private const string Watch = """
        (() => {
          const look = () => {
            if (document.readyState !== "loading" && document.querySelector("h1") && !document.querySelector("[data-live=false], [aria-busy=true]")) {
              window.usable = performance.now();
            } else {
              requestAnimationFrame(look);
            }
          };
          requestAnimationFrame(look);
        })();
        """;

    public string Name => "pages";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        await using var database = await PostgresDatabase.CreateAsync(cancellationToken: cancellationToken);
        await using var broker = await RabbitMqVirtualHost.CreateAsync(cancellationToken: cancellationToken);
        var root = Path.Combine(folder.Path, "volume");
        var run = await FillAsync(database.ConnectionString, root, cancellationToken);
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["--urls", address.ToString()],
            new Dictionary<string, string?>
            {
                ["ConnectionStrings__Catalog"] = database.ConnectionString,
                ["ConnectionStrings__RabbitMq"] = broker.Uri.ToString(),
                ["Volume__Root"] = root,
                ["Api__Keys"] = "loopback",
            }
        );
        await host.WaitForHealthyAsync(new Uri(address, "/health/ready"), cancellationToken: cancellationToken);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = TestEnvironment.ChromiumPath, Args = ["--no-sandbox", "--disable-gpu"] }
        );
        var page = await browser.NewPageAsync(
            new BrowserNewPageOptions
            {
                BaseURL = address.ToString(),
                ViewportSize = new ViewportSize { Width = 1400, Height = 900 },
            }
        );
        page.SetDefaultTimeout(60_000);
        await page.AddInitScriptAsync(Watch);
        var figures = new List<Figure>();
        foreach (var (name, path) in Pages(run, await LatestAsync(database.ConnectionString, cancellationToken)))
        {
            var first = await OpenAsync(page, path);
            var again = new List<(double Painted, double Usable)>();
            for (var round = 0; round < Rounds; round++)
            {
                again.Add(await OpenAsync(page, path));
            }

            figures.Add(Figure.Of($"{Name}-{name}", "paint ms", new Measurement("", [.. again.Select(one => one.Painted)]), peer: null));
            figures.Add(Figure.Of($"{Name}-{name}", "usable ms", new Measurement("", [.. again.Select(one => one.Usable)]), peer: null));
            figures.Add(Figure.Of($"{Name}-{name}", "1st paint", new Measurement("", [first.Painted]), peer: null));
            figures.Add(Figure.Of($"{Name}-{name}", "1st use", new Measurement("", [first.Usable]), peer: null));
        }

        return figures;
    }

    private static IEnumerable<(string Name, string Path)> Pages(Guid run, IReadOnlyList<Guid> latest) =>
        [
            ("runs", "/runs"),
            ("runs-best", "/runs?sort=-accuracy&where=backbone%3Dresnet50"),
            ("run", $"/runs/{run}"),
            ("run-images", $"/runs/{run}/images?right=false"),
            ("run-labels", $"/runs/{run}/labels"),
            ("run-jobs", $"/runs/{run}/jobs"),
            ("compare", "/runs/compare?" + string.Join('&', latest.Select(one => $"run={one}"))),
            ("new-run", "/runs/new"),
            ("datasets", "/datasets"),
            ("dataset", $"/datasets/{GeneratedDataset.Sha256}"),
            ("duplicates", $"/datasets/{GeneratedDataset.Sha256}/duplicates"),
            ("models", "/models"),
            ("workers", "/workers"),
            ("queues", "/queues"),
            ("audit", "/audit"),
            ("settings", "/settings"),
        ];

    private static async Task<(double Painted, double Usable)> OpenAsync(IPage page, string path)
    {
        var response = await page.GotoAsync(path);
        if (response is not { Ok: true })
        {
            throw new InvalidOperationException($"{path} was answered by {response?.Status}.");
        }

        await page.WaitForFunctionAsync("() => window.usable && performance.getEntriesByName('first-contentful-paint').length > 0");
        return (
            await page.EvaluateAsync<double>("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
            await page.EvaluateAsync<double>("window.usable")
        );
    }

    private static async Task<Guid> FillAsync(string connectionString, string root, CancellationToken cancellationToken)
    {
        await GeneratedRuns.FillAsync(connectionString, Runs, cancellationToken);
        var volume = Volume.Begin(root);
        await using var provider = new ServiceCollection().AddCatalog(connectionString).BuildServiceProvider();
        var contexts = provider.GetRequiredService<IDbContextFactory<CatalogContext>>();
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            context.Installation.Add(new Installation { VolumeId = volume.Id!.Value, CreatedAt = DateTime.UtcNow });
            await context.SaveChangesAsync(cancellationToken);
        }

        return await GeneratedDataset.WriteAsync(contexts, volume, Images, cancellationToken);
    }

    private static async Task<IReadOnlyList<Guid>> LatestAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var provider = new ServiceCollection().AddCatalog(connectionString).BuildServiceProvider();
        await using var context = await provider
            .GetRequiredService<IDbContextFactory<CatalogContext>>()
            .CreateDbContextAsync(cancellationToken);
        return await context
            .Runs.Where(run => run.State == RunState.Completed && run.IngestionKey == null)
            .OrderByDescending(run => run.SubmittedAt)
            .Select(run => run.Id)
            .Take(20)
            .ToListAsync(cancellationToken);
    }
}
