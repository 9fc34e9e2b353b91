using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Benchmarks;

/// <summary>A catalog of many runs that nobody has computed: nine in ten are complete, on fifty data sets. The same each time.</summary>
internal static class GeneratedRuns
{
    /// <summary>What all results name as what was found about their data.</summary>
    public const string AuditKey = "audit";

    private const int Batch = 2_000;

    /// <summary>Makes the schema and fills it.</summary>
    public static async Task FillAsync(string connectionString, int runs, CancellationToken cancellationToken)
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
        for (var first = 0; first < runs; first += Batch)
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            context.ChangeTracker.AutoDetectChangesEnabled = false;
            for (var number = first; number < first + Batch; number++)
            {
                var run = Draw(number, random);
                context.Runs.Add(run);
                if (run.State == RunState.Completed)
                {
                    context.Evaluations.Add(Evaluate(run, random, "[[500,0],[0,500]]", 1000, new StoredFile("predictions.json", 1, "00")));
                }
            }

            await context.SaveChangesAsync(cancellationToken);
        }

        await using var last = await contexts.CreateDbContextAsync(cancellationToken);
        // As the database itself does after a while.
        await last.Database.ExecuteSqlRawAsync(last.Database.IsNpgsql() ? "vacuum analyze" : "analyze", cancellationToken);
    }

    /// <summary>A run that ended, or waits for ever.</summary>
    public static Run Draw(int number, Random random)
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
            Training = new TrainingSpecification
            {
                Optimizer = HeadOptimizer.Adam,
                LearningRate = new[] { 0.0001, 0.001, 0.01 }[random.Next(3)],
            },
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

    /// <summary>A test result of a run.</summary>
    public static Evaluation Evaluate(Run run, Random random, string confusion, int testImages, StoredFile predictions)
    {
        var accuracy = 0.5 + (random.Next(5_000) / 10_000.0);
        return new Evaluation
        {
            RunId = run.Id,
            DatasetSha256 = run.DatasetSha256!,
            Trial = 0,
            TestImages = testImages,
            TestAccuracy = accuracy,
            TestAccuracyLow = accuracy - 0.03,
            TestAccuracyHigh = accuracy + 0.03,
            TestLoss = 1 - accuracy,
            TopK = 5,
            TopKAccuracy = 0.99,
            MacroF1 = accuracy - (random.NextDouble() / 50),
            ConfusionMatrix = confusion,
            Temperature = 1,
            CalibrationError = random.NextDouble() / 10,
            UncalibratedError = 0.1,
            Reliability = "[]",
            LeakedTestImages = 0,
            UnleakedAccuracy = null,
            UnleakedAccuracyLow = null,
            UnleakedAccuracyHigh = null,
            AuditKey = AuditKey,
            Predictions = predictions,
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
