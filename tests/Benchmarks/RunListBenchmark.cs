using System.Diagnostics;
using Distributed.TestServers;

namespace Distributed.Benchmarks;

/// <summary>
/// Pages of the list of runs over HTTP, with 100,000 runs in the catalog, 200 requests a second by the clock: a request that waits for the one before
/// counts its waiting. Median and 99 of 100, in milliseconds, of each way of asking and of all; then of all once more, beside a trainer that computes
/// features on all cores.
/// </summary>
/// <param name="name">Name of the row.</param>
/// <param name="isPostgres">Which database.</param>
internal sealed class RunListBenchmark(string name, bool isPostgres) : IBenchmark
{
    private const int Runs = 100_000,
        PerSecond = 200,
        Seconds = 30;

    private static readonly (string Name, string Query)[] Questions =
    [
        ("latest", ""),
        ("state", "?state=failed"),
        ("tag", "?tag=t7"),
        ("base", "?where=backbone=resnet18"),
        ("best", "?sort=-accuracy"),
        ("best-of-base", "?where=backbone=resnet50&where=accuracy>=0.8&sort=-accuracy"),
        ("data-set", "?where=datasetSha256=d7&sort=-macroF1"),
        ("longest", "?sort=-duration"),
        ("setting", "?where=training.learningRate>=0.005&where=head.kind=mlp"),
        ("name", "?name=run 4711"),
    ];

    public string Name => name;

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        await using var database = isPostgres ? await PostgresDatabase.CreateAsync(cancellationToken: cancellationToken) : null;
        await using var broker = await RabbitMqVirtualHost.CreateAsync(cancellationToken: cancellationToken);
        var catalog = database?.ConnectionString ?? $"Data Source={Path.Combine(folder.Path, "catalog.db")}";
        await GeneratedRuns.FillAsync(catalog, Runs, cancellationToken);
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        await using var host = HostProcess.StartService(
            TestEnvironment.ServiceDll("AdminApi"),
            ["--urls", address.ToString()],
            new Dictionary<string, string?>
            {
                ["ConnectionStrings__Catalog"] = catalog,
                ["ConnectionStrings__RabbitMq"] = broker.Uri.ToString(),
                ["Volume__Root"] = Path.Combine(folder.Path, "volume"),
                ["Api__Keys"] = "loopback",
            }
        );
        await host.WaitForHealthyAsync(new Uri(address, "/health/ready"), cancellationToken: cancellationToken);
        using var api = new HttpClient { BaseAddress = address };
        var pages = Questions.Select(question => (question.Name, $"/api/v1/runs{question.Query}")).ToList();
        // As a host that has been up for a while: compiled, optimised and prepared.
        await AskAsync(api, pages, PerSecond * Seconds, cancellationToken);
        var times = await AskAsync(api, pages, PerSecond * Seconds, cancellationToken);
        var beside = await AskBesideTrainerAsync(api, pages, cancellationToken);
        return
        [
            .. Describe(Name, times),
            .. Describe($"{Name}-trainer", beside),
            .. times.GroupBy(time => time.Question, StringComparer.Ordinal).SelectMany(some => Describe($"{Name}-{some.Key}", some)),
        ];
    }

    private static IEnumerable<Figure> Describe(string name, IEnumerable<(string Question, double Milliseconds)> times)
    {
        var all = new Measurement("", [.. times.Select(time => time.Milliseconds)]);
        return new[] { (0.5, "p50 ms"), (0.99, "p99 ms") }.Select(part =>
            Figure.Of(name, part.Item2, new Measurement("", [all.At(part.Item1)]), peer: null)
        );
    }

    private static async Task<List<(string Question, double Milliseconds)>> AskBesideTrainerAsync(
        HttpClient api,
        List<(string Name, string Path)> pages,
        CancellationToken cancellationToken
    )
    {
        using var trainer = await Contestant.StartAsync(["extract", "best", "96"], cancellationToken);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var training = Contestant.CompeteAsync([trainer], int.MaxValue, stop.Token);
        var times = await AskAsync(api, pages, PerSecond * Seconds, cancellationToken);
        await stop.CancelAsync();
        await training.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.OnlyOnCanceled, TaskScheduler.Default);
        return times;
    }

    private static async Task<List<(string Question, double Milliseconds)>> AskAsync(
        HttpClient api,
        List<(string Name, string Path)> pages,
        int requests,
        CancellationToken cancellationToken
    )
    {
        var started = Stopwatch.GetTimestamp();
        var asked = new List<Task<(string, double)>>(requests);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (asked.Count < requests)
        {
            while (asked.Count < requests && Stopwatch.GetElapsedTime(started).TotalSeconds * PerSecond >= asked.Count)
            {
                var (question, path) = pages[asked.Count % pages.Count];
                asked.Add(AskAsync(api, question, path, started, TimeSpan.FromSeconds((double)asked.Count / PerSecond), cancellationToken));
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }

        return [.. await Task.WhenAll(asked)];
    }

    private static async Task<(string Question, double Milliseconds)> AskAsync(
        HttpClient api,
        string question,
        string path,
        long started,
        TimeSpan due,
        CancellationToken cancellationToken
    )
    {
        using var response = await api.GetAsync(path, cancellationToken);
        await response.EnsureSuccessStatusCode().Content.CopyToAsync(Stream.Null, cancellationToken);
        return (question, (Stopwatch.GetElapsedTime(started) - due).TotalMilliseconds);
    }
}
