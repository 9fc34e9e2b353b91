using System.Diagnostics;
using Distributed.Catalog;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Benchmarks;

/// <summary>
/// Pages of the list of runs over HTTP, with 100,000 runs in the catalog, 200 requests a second by the clock: a request that waits for the one before
/// counts its waiting. Median and 99 of 100, in milliseconds, of each way of asking and of all.
/// </summary>
/// <param name="name">Name of the row.</param>
/// <param name="isPostgres">Which database.</param>
internal sealed class RunListBenchmark(string name, bool isPostgres) : IBenchmark
{
    private const int Runs = 100_000,
        PerSecond = 200,
        Seconds = 30,
        Batch = 2_000;

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
        await using var broker = await RabbitMqVirtualHost.CreateAsync();
        var catalog = database?.ConnectionString ?? $"Data Source={Path.Combine(folder.Path, "catalog.db")}";
        await FillAsync(catalog, cancellationToken);
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
        // Compiled and prepared, before the clock runs.
        await AskAsync(api, pages, PerSecond * 5, cancellationToken);
        var times = await AskAsync(api, pages, PerSecond * Seconds, cancellationToken);
        return
        [
            .. Describe(Name, times),
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

    private static async Task FillAsync(string connectionString, CancellationToken cancellationToken)
    {
        var services = new ServiceCollection();
        services.AddCatalog(connectionString);
        await using var provider = services.BuildServiceProvider();
        var contexts = provider.GetRequiredService<IDbContextFactory<CatalogContext>>();
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            await context.Database.MigrateAsync(cancellationToken);
            context.Datasets.AddRange(Enumerable.Range(0, 50).Select(Dataset));
            await context.SaveChangesAsync(cancellationToken);
        }

        var random = new Random(0);
        for (var first = 0; first < Runs; first += Batch)
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            context.ChangeTracker.AutoDetectChangesEnabled = false;
            for (var number = first; number < first + Batch; number++)
            {
                var run = Draw(number, random);
                context.Runs.Add(run);
                if (run.State == RunState.Completed)
                {
                    context.Evaluations.Add(Evaluate(run, random));
                }
            }

            await context.SaveChangesAsync(cancellationToken);
        }

        await using var last = await contexts.CreateDbContextAsync(cancellationToken);
        await last.Database.ExecuteSqlRawAsync("analyze", cancellationToken);
    }

    private static Run Draw(int number, Random random)
    {
        string[] bases = ["demo", "imagenet", "resnet18", "resnet50", "dinov2-small", "mlnet-resnet18"];
        var submitted = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddMinutes(number);
        var state = random.Next(100) switch
        {
            < 90 => RunState.Completed,
            < 95 => RunState.Failed,
            < 99 => RunState.Cancelled,
            _ => RunState.Submitted,
        };
        var dataset = random.Next(50);
        var specification = new RunSpecification
        {
            Name = $"run {number}",
            Tags = [$"t{random.Next(100)}"],
            Dataset = $"/data/set-{dataset}",
            Backbone = bases[random.Next(bases.Length)],
            Head = new HeadSpecification { Kind = random.Next(4) == 0 ? HeadKind.Mlp : HeadKind.Linear },
            Training = new TrainingSpecification { LearningRate = new[] { 0.0001, 0.001, 0.01 }[random.Next(3)] },
            Seed = random.Next(),
        };
        return new Run
        {
            Id = Guid.CreateVersion7(new DateTimeOffset(submitted)),
            Name = specification.Name,
            Tags = specification.Tags,
            Specification = ContractJson.Write(specification),
            State = state,
            SubmittedAt = submitted,
            IngestingAt = submitted.AddSeconds(1),
            ExtractingAt = submitted.AddSeconds(5),
            FinishedAt = state == RunState.Submitted ? null : submitted.AddSeconds(20 + random.Next(600)),
            EndPublishedAt = submitted,
            DatasetSha256 = $"d{dataset}",
        };
    }

    private static Evaluation Evaluate(Run run, Random random)
    {
        var accuracy = 0.5 + (random.Next(5_000) / 10_000.0);
        return new Evaluation
        {
            RunId = run.Id,
            Trial = 0,
            TestImages = 1000,
            TestAccuracy = accuracy,
            TestAccuracyLow = accuracy - 0.03,
            TestAccuracyHigh = accuracy + 0.03,
            TestLoss = 1 - accuracy,
            TopK = 5,
            TopKAccuracy = 0.99,
            MacroF1 = accuracy - (random.NextDouble() / 50),
            ConfusionMatrix = "[[500,0],[0,500]]",
            Temperature = 1,
            CalibrationError = random.NextDouble() / 10,
            UncalibratedError = 0.1,
            Reliability = "[]",
            LeakedTestImages = 0,
            UnleakedAccuracy = null,
            UnleakedAccuracyLow = null,
            UnleakedAccuracyHigh = null,
            AuditKey = "audit",
            Predictions = new StoredFile("predictions.json", 1, "00"),
            HeadSha256 = "00",
            Report = null,
            CreatedAt = run.SubmittedAt,
        };
    }

    private static Dataset Dataset(int number) =>
        new()
        {
            Sha256 = $"d{number}",
            Name = $"set {number}",
            Source = $"/data/set-{number}",
            ImageCount = 10_000,
            ClassNames = ["cat", "dog"],
            Manifest = new StoredFile("manifest.json", 1, "00"),
            CreatedAt = DateTime.UnixEpoch,
        };
}
