using System.Net;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Tests;

/// <summary>Filters, orders and pages of the list of runs, in both databases.</summary>
public sealed class RunListTests : IAsyncLifetime
{
    private AdminServer _server = null!;
    private PostgresDatabase? _database;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Runs_are_filtered_by_any_setting_and_any_metric(bool isPostgres)
    {
        await StartAsync(isPostgres);
        var linear = CatalogRows.Run(
            new RunSpecification
            {
                Backbone = "resnet18",
                Fold = 3,
                Name = "Birds",
            },
            seconds: 5
        );
        var mlp = CatalogRows.Run(
            new RunSpecification
            {
                Backbone = "resnet50",
                Decoding = JpegDecoding.Full,
                Head = new HeadSpecification { Kind = HeadKind.Mlp, HiddenSizes = [128, 64] },
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, LearningRate = 0.01 },
                Report = false,
                Tags = ["night", "a,b"],
            },
            seconds: 50
        );
        var failed = CatalogRows.Run(new RunSpecification { Backbone = "resnet18", Priority = RunPriority.Bulk }, RunState.Failed);
        var open = CatalogRows.Run(new RunSpecification { PixelMean = [0.5, 0.25, 1e-6], PixelStd = [1, 1, 1] }, RunState.Submitted);
        await _server.AddAsync(linear, mlp, failed, open, CatalogRows.Evaluation(linear, 0.95), CatalogRows.Evaluation(mlp, 0.8));

        await Finds("where=backbone=resnet18", linear, failed);
        await Finds("where=backbone=resnet18&where=accuracy>=0.9", linear);
        await Finds("where=backbone!=resnet18", mlp, open);
        await Finds("where=backbone~RESNET", linear, mlp, failed);
        await Finds("where=accuracy>0.8", linear);
        await Finds("where=accuracy<=0.8", mlp);
        await Finds("where=accuracy=", failed, open);
        await Finds("where=accuracy!=", linear, mlp);
        await Finds("where=macroF1<0.8&where=loss<0.5", mlp);
        await Finds("where=head.kind=MLP", mlp);
        await Finds("where=head.hiddenSizes=128,64", mlp);
        await Finds("where=pixelMean=0.5,0.25,0.000001", open);
        await Finds("where=training.learningRate>=0.005", mlp);
        await Finds("where=training.optimizer=newton", linear, failed, open);
        await Finds("where=report=false", mlp);
        await Finds("where=report=true", linear, failed, open);
        await Finds("where=decoding=full", mlp);
        await Finds("where=decoding=scaled", linear, failed, open);
        await Finds("where=decoding!=scaled", mlp);
        await Finds("where=fold=3", linear);
        await Finds("where=fold=", mlp, failed, open);
        await Finds("where=maxSkipped=0.5", linear, mlp, failed, open);
        await Finds("where=seed=0&where=topK<6", linear, mlp, failed, open);
        await Finds("where=tags=night", mlp);
        await Finds("where=tags=a,b", mlp);
        await Finds("where=tags!=night", linear, failed, open);
        await Finds("where=tags=", linear, failed, open);
        await Finds("where=name~bird", linear);
        await Finds("where=priority=bulk", failed);
        await Finds("where=open=true", open);
        await Finds("where=open=false", linear, mlp, failed);
        await Finds("where=state!=completed", failed, open);
        await Finds("where=duration>20", mlp);
        await Finds("where=duration=", open);
        await Finds("where=submitted>=2026-01-02T12:00:00Z&where=submitted<2026-01-03", linear, mlp, failed, open);
        await Finds("where=submitted<2026-01-02");

        async Task Finds(string query, params Run[] expected)
        {
            var found = (await ListAsync(Escape(query))).Select(run => run.GetProperty("runId").GetGuid()).Order();
            Assert.Equal((query, string.Join(' ', expected.Select(run => run.Id).Order())), (query, string.Join(' ', found)));
        }
    }

    [Theory]
    [InlineData(false, "accuracy")]
    [InlineData(true, "accuracy")]
    [InlineData(false, "-accuracy")]
    [InlineData(true, "-accuracy")]
    [InlineData(false, "duration")]
    [InlineData(true, "-duration")]
    [InlineData(false, "-name")]
    [InlineData(true, "name")]
    [InlineData(false, "training.learningRate")]
    [InlineData(true, "-training.learningRate")]
    [InlineData(false, "-submitted")]
    [InlineData(true, "submitted")]
    [InlineData(false, "fold")]
    [InlineData(true, "fold")]
    public async Task Pages_visit_every_run_once_in_the_order_that_is_asked_for_and_those_without_a_value_last(bool isPostgres, string sort)
    {
        await StartAsync(isPostgres);
        var runs = Enumerable
            .Range(0, 23)
            .Select(i =>
                CatalogRows.Run(
                    new RunSpecification
                    {
                        // Several that are equal, and some without any.
                        Name = i % 5 == 0 ? null : $"run {i % 7}",
                        Fold = i % 3 == 0 ? i % 4 : null,
                        Training = new TrainingSpecification { LearningRate = 0.001 * (1 + (i % 3)) },
                    },
                    i % 6 == 0 ? RunState.Submitted : RunState.Completed,
                    CatalogRows.Noon.AddTicks(i / 4 * 50),
                    seconds: i % 8
                )
            )
            .ToList();
        await _server.AddAsync([
            .. runs,
            .. runs.Where(run => run.State == RunState.Completed).Select((run, i) => CatalogRows.Evaluation(run, 0.5 + (i % 4 / 10.0))),
        ]);
        var all = (await ListAsync($"sort={sort}&limit=500")).Select(Key).ToList();

        foreach (var limit in new[] { 1, 4, 22, 23 })
        {
            var (seen, after) = (new List<(Guid, double?, string?)>(), (string?)null);
            do
            {
                var page = await _server.GetAsync($"/api/v1/runs?sort={sort}&limit={limit}{(after is null ? "" : $"&after={after}")}");
                Assert.InRange(page.GetProperty("items").GetArrayLength(), 1, limit);
                seen.AddRange(page.GetProperty("items").EnumerateArray().Select(Key));
                after = page.GetProperty("next").GetString();
            } while (after is not null);

            Assert.Equal(all, seen);
        }

        Assert.Equal(23, all.Distinct().Count());
        if (sort.Contains("accuracy", StringComparison.Ordinal))
        {
            var values = all.Select(run => run.Item2).ToList();
            var present = values.TakeWhile(value => value is not null).ToList();
            Assert.All(values.Skip(present.Count), value => Assert.Null(value));
            Assert.Equal(sort[0] == '-' ? present.OrderDescending() : present.Order(), present);
        }

        static (Guid, double?, string?) Key(JsonElement run) =>
            (
                run.GetProperty("runId").GetGuid(),
                run.GetProperty("testAccuracy").ValueKind == JsonValueKind.Null ? null : run.GetProperty("testAccuracy").GetDouble(),
                run.GetProperty("name").GetString()
            );
    }

    [Theory]
    [InlineData("where=acuracy>0.9", "where", "there is no field 'acuracy'; did you mean accuracy?")]
    [InlineData("where=colour=red", "where", "GET /api/v1/runs/fields lists them")]
    [InlineData("where=accuracy", "where", "a filter is a field, one of = != > >= < <= ~, and a value")]
    [InlineData("where=accuracy>", "where", "the value is ''; it must be a number")]
    [InlineData("where=accuracy>0,9", "where", "the value is '0,9'; it must be a number")]
    [InlineData("where=accuracy~9", "where", "accuracy is a number and cannot be compared by ~; it can by = != > >= < <=")]
    [InlineData("where=head.kind=conv", "where", "the value is 'conv'; it must be linear or mlp")]
    [InlineData("where=training.epochs=many", "where", "the value is 'many'; it must be a whole number from 1 to 10000")]
    [InlineData("where=report=1", "where", "the value is '1'; it must be true or false")]
    [InlineData("where=state=lost", "where", "the value is 'lost'; it must be submitted, ingesting")]
    [InlineData("where=submitted>yesterday", "where", "it must be a day or time such as 2026-01-02")]
    [InlineData("sort=-beauty", "sort", "there is no field 'beauty'")]
    [InlineData("sort=tags", "sort", "runs have no order by tags")]
    [InlineData("after=e30", "after", "ends no page of this list")]
    public async Task A_filter_or_order_that_means_nothing_is_refused_with_what_is_possible(string query, string field, string said)
    {
        await StartAsync(isPostgres: false);

        var problem = await _server.GetProblemAsync($"/api/v1/runs?{Escape(query)}", HttpStatusCode.BadRequest);

        var error = Assert.Single(problem.GetProperty("errors").EnumerateObject());
        Assert.Equal(field, error.Name);
        Assert.Contains(said, error.Value[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_wrong_filter_is_named_at_once()
    {
        await StartAsync(isPostgres: false);

        var problem = await _server.GetProblemAsync(
            $"/api/v1/runs?{Escape("where=a=1&where=backbone=demo&where=seed=x&sort=b")}",
            HttpStatusCode.BadRequest
        );

        Assert.Equal(2, problem.GetProperty("errors").GetProperty("where").GetArrayLength());
        Assert.Equal(1, problem.GetProperty("errors").GetProperty("sort").GetArrayLength());
    }

    [Fact]
    public async Task A_page_does_not_go_on_in_another_order()
    {
        await StartAsync(isPostgres: false);
        await _server.AddAsync(CatalogRows.Run(), CatalogRows.Run(), CatalogRows.Run());
        var next = (await _server.GetAsync("/api/v1/runs?limit=1")).GetProperty("next").GetString();

        var problem = await _server.GetProblemAsync($"/api/v1/runs?limit=1&sort=-accuracy&after={next}", HttpStatusCode.BadRequest);

        Assert.Contains("with the same sort", problem.GetProperty("errors").GetProperty("after")[0].GetString());
    }

    [Fact]
    public async Task Every_field_that_is_listed_can_be_asked_for_by_each_of_its_operators_and_orders()
    {
        await StartAsync(isPostgres: true);
        var run = CatalogRows.Run();
        await _server.AddAsync(run, CatalogRows.Evaluation(run, 0.9));

        foreach (var field in (await _server.GetAsync("/api/v1/runs/fields")).GetProperty("items").EnumerateArray())
        {
            var (name, type) = (field.GetProperty("name").GetString()!, field.GetProperty("type").GetString()!);
            var value = type switch
            {
                "wholeNumber" or "number" => "1",
                "flag" => "true",
                "time" => "2026-01-02",
                "choice" => field.GetProperty("choices")[0].GetString()!,
                "list" when name == "tags" => "x",
                "list" => "3,2,1",
                _ => "demo",
            };
            foreach (var operation in field.GetProperty("operators").EnumerateArray())
            {
                await ListAsync(Escape($"where={name}{operation.GetString()}{value}"));
            }

            await ListAsync(Escape($"where={name}="));
            if (field.GetProperty("canSort").GetBoolean())
            {
                Assert.Single(await ListAsync($"sort={name}"));
                Assert.Single(await ListAsync($"sort=-{name}"));
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_has_what_a_table_shows(bool isPostgres)
    {
        await StartAsync(isPostgres);
        var done = CatalogRows.Run(new RunSpecification { Dataset = "/data/pets", Backbone = "resnet18" }, seconds: 12);
        (done.IngestingAt, done.ExtractingAt, done.DatasetSha256) = (done.SubmittedAt.AddSeconds(1), done.SubmittedAt.AddSeconds(4), "aaa");
        var packing = CatalogRows.Run(state: RunState.Ingesting, submittedAt: CatalogRows.Noon.AddHours(1));
        packing.IngestionKey = "key";
        var training = CatalogRows.Run(
            new RunSpecification
            {
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, Epochs = 9 },
            },
            RunState.Training,
            CatalogRows.Noon.AddHours(2)
        );
        await _server.AddAsync(done, packing, training, CatalogRows.Evaluation(done, 0.9));
        await _server.AddAsync(
            new Dataset
            {
                Sha256 = "aaa",
                Name = "pets",
                Source = "/data/pets",
                ImageCount = 4,
                ClassNames = ["cat", "dog"],
                Manifest = new Storage.StoredFile("manifest.json", 1, "00"),
                CreatedAt = CatalogRows.Noon,
            },
            new EpochMetric
            {
                RunId = training.Id,
                Trial = 0,
                Epoch = 1,
                TrainLoss = 1,
                TrainAccuracy = 1,
                LearningRate = 0.1,
            }
        );
        await _server.QueryAsync(async context =>
        {
            context.PlanJobs(nameof(PackImages), "key", [0, 1, 2], traceParent: null, CatalogRows.Noon);
            await context.SaveChangesAsync();
            return await context.Jobs.Where(job => job.Step == 1).ExecuteUpdateAsync(job => job.SetProperty(j => j.State, JobState.Done));
        });

        var rows = (await ListAsync("")).ToList();

        Assert.Equal(
            ("epochs trained", 1, 9),
            (
                rows[0].GetProperty("progress").GetProperty("stage").GetString(),
                rows[0].GetProperty("progress").GetProperty("done").GetInt32(),
                rows[0].GetProperty("progress").GetProperty("total").GetInt32()
            )
        );
        Assert.Equal(
            ("parts of images packed", 1, 3),
            (
                rows[1].GetProperty("progress").GetProperty("stage").GetString(),
                rows[1].GetProperty("progress").GetProperty("done").GetInt32(),
                rows[1].GetProperty("progress").GetProperty("total").GetInt32()
            )
        );
        var row = rows[2];
        Assert.Equal(
            ("/data/pets", "pets", "resnet18", "linear", 3.0, 12.0, 0.89),
            (
                row.GetProperty("dataset").GetString(),
                row.GetProperty("datasetName").GetString(),
                row.GetProperty("base").GetString(),
                row.GetProperty("head").GetString(),
                row.GetProperty("seconds").GetProperty("ingest").GetDouble(),
                row.GetProperty("seconds").GetProperty("total").GetDouble(),
                Math.Round(row.GetProperty("macroF1").GetDouble(), 6)
            )
        );
        Assert.Equal(JsonValueKind.Null, row.GetProperty("progress").ValueKind);
    }

    private async Task StartAsync(bool isPostgres)
    {
        _database = isPostgres ? await PostgresDatabase.CreateAsync() : null;
        _server = await AdminServer.StartAsync(_database?.ConnectionString);
        if (isPostgres)
        {
            await AdminServer.UntilAsync(async () => (await _server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        }
    }

    private async Task<IEnumerable<JsonElement>> ListAsync(string query) =>
        (await _server.GetAsync($"/api/v1/runs?{query}")).GetProperty("items").EnumerateArray();

    /// <summary>Escapes the values of a query; the first equals sign of each part is the query's own.</summary>
    private static string Escape(string query) =>
        string.Join('&', query.Split('&').Select(part => part.Split('=', 2)).Select(pair => $"{pair[0]}={Uri.EscapeDataString(pair[1])}"));
}
