using System.Diagnostics;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;

namespace Distributed.Catalog.Tests;

public sealed class SqliteTelemetryTests(SqliteCatalog catalog) : TelemetryTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresTelemetryTests(PostgresCatalog catalog) : TelemetryTests(catalog), IClassFixture<PostgresCatalog>;

/// <summary>What the catalog keeps for, and tells to, traces, logs and metrics.</summary>
public abstract class TelemetryTests(TestCatalog catalog)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_lease_names_the_run_it_is_for_which_for_shared_work_is_the_first_open_one()
    {
        var (over, first, second) = (await catalog.SubmitAsync(), await catalog.SubmitAsync(), await catalog.SubmitAsync());
        var shared = new JobKey(nameof(PackImages), await catalog.PlanAsync(nameof(PackImages), 1, over, second, first), 0);
        Assert.True(await catalog.Control.CancelAsync(over.Id, AuditActor.Loopback, None));

        Assert.Equal(first.Id, (await catalog.StartAsync(shared)).RunId);
        Assert.Equal(second.Id, (await catalog.StartAsync(await catalog.PlanTrainingAsync(second))).RunId);
    }

    [Fact]
    public async Task Work_goes_on_from_the_spans_of_the_slice_before_of_all_shards_and_of_all_parts()
    {
        var run = await catalog.SubmitAsync();
        var features = await catalog.PlanAsync(nameof(ExtractFeatures), 3, run);
        var shards = await FinishAsync(nameof(ExtractFeatures), features, 0, 1);
        var images = await catalog.PlanAsync(nameof(PackImages), 2, run);
        var parts = await FinishAsync(nameof(PackImages), images, 0, 1);
        var scope = (await catalog.PlanTrainingAsync(run)).Scope;
        await PlanAsync(nameof(TrainHead), scope, 1, 2);

        // Two of three shards are done, and one slice.
        Assert.Equal(shards, await FindAsync(new JobKey(nameof(TrainHead), scope, 0)));
        var slices = await FinishAsync(nameof(TrainHead), scope, 0, 1);
        Assert.Equal([slices[0]], await FindAsync(new JobKey(nameof(TrainHead), scope, 1)));
        Assert.Equal([slices[1]], await FindAsync(new JobKey(nameof(TrainHead), scope, 2)));
        await PlanAsync(nameof(EvaluateHead), scope, 0);
        Assert.Empty(await FindAsync(new JobKey(nameof(EvaluateHead), scope, 0)));
        var last = await FinishAsync(nameof(TrainHead), scope, 2);
        Assert.Equal(last, await FindAsync(new JobKey(nameof(EvaluateHead), scope, 0)));
        Assert.Equal(parts, await FindAsync(new JobKey(nameof(CompleteDataset), images, 0)));
        Assert.Empty(await FindAsync(new JobKey(nameof(IngestDataset), scope, 0)));
    }

    [Fact]
    public async Task Figures_count_open_runs_by_state_and_jobs_that_they_need_by_kind()
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        var before = await CatalogFigures.ReadAsync(context, None);
        var run = await catalog.SubmitAsync(RunState.Training);
        var over = await catalog.SubmitAsync();
        await catalog.PlanAsync(nameof(ExtractFeatures), 3, run, over);
        await catalog.StartAsync(await catalog.PlanTrainingAsync(run));
        Assert.True(await catalog.Control.CancelAsync(over.Id, AuditActor.Loopback, None));

        var after = await CatalogFigures.ReadAsync(context, None);

        Assert.Equal(before.OpenRuns[RunState.Training] + 1, after.OpenRuns[RunState.Training]);
        Assert.Equal(before.OpenRuns[RunState.Submitted], after.OpenRuns[RunState.Submitted]);
        Assert.Equal(before.PendingJobs.GetValueOrDefault(nameof(ExtractFeatures)) + 3, after.PendingJobs[nameof(ExtractFeatures)]);
        Assert.Equal(before.PendingJobs.GetValueOrDefault(nameof(TrainHead)), after.PendingJobs.GetValueOrDefault(nameof(TrainHead)));
    }

    [Fact]
    public async Task Figures_have_the_latest_accuracy_of_each_data_set_and_backbone_and_no_more_than_twenty()
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        var backbone = Guid.NewGuid().ToString("N");
        context.Backbones.Add(
            new Backbone
            {
                Sha256 = backbone,
                Source = "demo",
                Architecture = "densenet121",
                Origin = "of a test",
                CreatedAt = DateTime.UtcNow,
            }
        );
        for (var set = 0; set < 25; set++)
        {
            var (dataset, features) = ($"{backbone}-{set}", $"{backbone}-features-{set}");
            context.Datasets.Add(
                new Dataset
                {
                    Sha256 = dataset,
                    Name = $"set {set}",
                    Source = "/data",
                    ImageCount = 1,
                    ClassNames = ["a"],
                    Manifest = new("m", 1, "m"),
                    CreatedAt = DateTime.UtcNow,
                }
            );
            context.FeatureSets.Add(
                new FeatureSet
                {
                    Key = features,
                    DatasetSha256 = dataset,
                    IngestionKey = "i",
                    BackboneSha256 = backbone,
                    Preprocessing = "p",
                    Precision = Precision.Fp32,
                    ExtractorVersion = 1,
                    InputSize = 96,
                    Flip = false,
                    Crops = ImageCrops.Whole,
                    BatchSize = 64,
                    ImageCount = 1,
                    FeatureSize = 1024,
                    ShardSize = 512,
                    ShardCount = 1,
                    CreatedAt = DateTime.UtcNow,
                }
            );
            AddRun(context, dataset, features, accuracy: 0.5, minute: set);
            AddRun(context, dataset, features, accuracy: 0.5 + (set / 100.0), minute: 100 + set);
        }

        await context.SaveChangesAsync();

        var accuracies = (await CatalogFigures.ReadAsync(context, None)).Accuracies;

        Assert.Equal(
            Enumerable.Range(0, 20).Select(i => new LatestAccuracy($"set {24 - i}", "demo", 0.5 + ((24 - i) / 100.0))),
            accuracies
        );
    }

    private static void AddRun(CatalogContext context, string dataset, string features, double accuracy, int minute)
    {
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Tags = [],
            Specification = "{}",
            State = RunState.Completed,
            SubmittedAt = DateTime.UtcNow.AddYears(1).AddMinutes(minute),
            FinishedAt = DateTime.UtcNow,
            DatasetSha256 = dataset,
            FeatureSetKey = features,
        };
        context.Runs.Add(run);
        context.Evaluations.Add(
            new Evaluation
            {
                RunId = run.Id,
                DatasetSha256 = "d",
                Trial = 0,
                TestImages = 1,
                TestAccuracy = accuracy,
                TestAccuracyLow = 0,
                TestAccuracyHigh = 1,
                TestLoss = 1,
                TopK = 5,
                TopKAccuracy = null,
                MacroF1 = 0.5,
                ConfusionMatrix = "[]",
                Temperature = 1,
                CalibrationError = 0,
                UncalibratedError = 0,
                Reliability = "[]",
                LeakedTestImages = 0,
                UnleakedAccuracy = null,
                UnleakedAccuracyLow = null,
                UnleakedAccuracyHigh = null,
                AuditKey = "audit",
                Predictions = new StoredFile("runs/predictions.json", 1, "00"),
                HeadSha256 = "h",
                Report = null,
                CreatedAt = DateTime.UtcNow,
            }
        );
    }

    private async Task PlanAsync(string kind, string scope, params int[] steps)
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        context.PlanJobs(kind, scope, steps, traceParent: null, DateTime.UtcNow);
        await context.SaveChangesAsync();
    }

    /// <summary>Does jobs, each in a span.</summary>
    /// <returns>The spans.</returns>
    private async Task<List<string>> FinishAsync(string kind, string scope, params int[] steps)
    {
        var spans = new List<string>();
        foreach (var step in steps)
        {
            using var span = new Activity("job").SetIdFormat(ActivityIdFormat.W3C).Start();
            await catalog.FinishAsync(new JobKey(kind, scope, step));
            spans.Add(span.Id!);
        }

        return spans;
    }

    private async Task<IReadOnlyList<string>> FindAsync(JobKey job) => await catalog.Spans.FindAsync(job, None);
}
