using System.Data.Common;
using System.Net;
using System.Text;
using System.Text.Json;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Distributed.AdminApi.Tests;

public sealed class QueryTests : IAsyncLifetime
{
    private static readonly DateTime Noon = new(2026, 1, 2, 12, 0, 0, DateTimeKind.Utc);
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(23)]
    [InlineData(50)]
    public async Task Paging_visits_every_run_once_the_latest_first(int limit)
    {
        // Several runs an instant, and instants that differ in their last digits.
        await _server.AddAsync([.. Enumerable.Range(0, 23).Select(i => NewRun(submittedAt: Noon.AddTicks(i / 4 * 5)))]);

        var seen = new List<Guid>();
        var times = new List<DateTime>();
        string? after = null;
        do
        {
            var page = await _server.GetAsync($"/api/v1/runs?limit={limit}{(after is null ? "" : $"&after={after}")}");
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 1, limit);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(Id));
            times.AddRange(page.GetProperty("items").EnumerateArray().Select(run => run.GetProperty("submittedAt").GetDateTime()));
            after = page.GetProperty("next").GetString();
        } while (after is not null);

        Assert.Equal(23, seen.Count);
        Assert.Equal(23, seen.Distinct().Count());
        Assert.Equal(times.OrderDescending(), times);
    }

    [Fact]
    public async Task A_run_that_ends_while_it_is_read_is_told_as_it_was_or_as_it_is()
    {
        var run = NewRun(submittedAt: Noon);
        (run.State, run.EvaluatingAt) = (RunState.Evaluating, Noon.AddSeconds(2));
        await _server.AddAsync(run);
        var connectionString = $"Data Source={Path.Combine(_server.Directory, "catalog.db")};Pooling=False";
        var interrupted = new InterruptedReading(
            connectionString,
            () =>
            {
                using var context = new InterruptedReading(connectionString).CreateDbContext();
                context
                    .Runs.Where(row => row.Id == run.Id)
                    .ExecuteUpdate(row =>
                        row.SetProperty(r => r.State, RunState.Completed).SetProperty(r => r.FinishedAt, Noon.AddSeconds(3))
                    );
            }
        );

        var read = await new RunQueries(interrupted, Options.Create(new TelemetryOptions())).FindAsync(run.Id, CancellationToken.None);

        Assert.True(interrupted.WasInterrupted);
        Assert.Equal(read!.Summary.State.IsFinal(), read.Seconds.Total is not null);
        Assert.Equal(read.Summary.State.IsFinal(), read.Seconds.Evaluate is not null);
    }

    [Fact]
    public async Task Runs_that_come_while_somebody_pages_change_nothing_on_the_pages_to_come()
    {
        var runs = Enumerable.Range(0, 4).Select(i => NewRun(submittedAt: Noon.AddSeconds(i))).ToList();
        await _server.AddAsync([.. runs]);
        var first = await _server.GetAsync("/api/v1/runs?limit=2");
        await _server.SubmitAsync();

        var second = await _server.GetAsync($"/api/v1/runs?limit=2&after={first.GetProperty("next").GetString()}");

        Assert.Equal([runs[1].Id, runs[0].Id], second.GetProperty("items").EnumerateArray().Select(Id));
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next").ValueKind);
    }

    [Fact]
    public async Task Filters_choose_by_state_tag_name_and_data_set_and_join()
    {
        var plain = NewRun();
        var failed = NewRun(RunState.Failed, ["night", "a,b"], "Birds 1");
        var cancelled = NewRun(RunState.Cancelled, ["nightly"], "Birds 2");
        var known = NewRun(RunState.Completed, ["night"], "Ships 100%");
        known.DatasetSha256 = "abc";
        await _server.AddAsync(plain, failed, cancelled, known);

        Assert.Equal([failed.Id], await ListAsync("state=failed"));
        Assert.Equal([failed.Id], await ListAsync("state=FAILED"));
        Assert.Equal([failed.Id, known.Id], await ListAsync("tag=night"));
        Assert.Equal([failed.Id], await ListAsync("tag=a,b"));
        Assert.Equal([failed.Id, cancelled.Id], await ListAsync("name=Birds"));
        Assert.Equal([known.Id], await ListAsync("name=100%25"));
        Assert.Empty(await ListAsync("name=B_rds"));
        Assert.Equal([known.Id], await ListAsync("dataset=abc"));
        Assert.Equal([known.Id], await ListAsync("tag=night&state=completed"));
        Assert.Empty(await ListAsync("tag=nightly&state=completed"));

        async Task<IEnumerable<Guid>> ListAsync(string query)
        {
            var found = (await _server.GetAsync($"/api/v1/runs?{query}")).GetProperty("items").EnumerateArray().Select(Id).ToHashSet();
            return new[] { plain, failed, cancelled, known }.Select(run => run.Id).Where(found.Contains);
        }
    }

    [Theory]
    [InlineData("state=lost", "state")]
    [InlineData("state=3", "state")]
    [InlineData("state=ingesting,submitted", "state")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1,000", "limit")]
    [InlineData("limit=%205", "limit")]
    [InlineData("limit=5%00", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("limit=1&limit=2", "limit")]
    [InlineData("after=here", "after")]
    [InlineData("stat=failed", "stat")]
    [InlineData("limit=0&state=3&colour=red", "limit,state,colour")]
    [InlineData("limit=501", "limit")]
    [InlineData("after=00000000-0000-0000-0000-000000000001", "after")]
    public async Task A_filter_that_means_nothing_is_refused(string query, string fields)
    {
        var problem = await _server.GetProblemAsync($"/api/v1/runs?{query}", HttpStatusCode.BadRequest);

        Assert.Equal(fields.Split(','), problem.GetProperty("errors").EnumerateObject().Select(error => error.Name));
    }

    [Theory]
    [InlineData("POST", "/api/v1/maintenance/collect?dryRun=maybe", "dryRun", "is 'maybe'; it must be true or false")]
    [InlineData("POST", "/api/v1/maintenance/collect?dry=true", "dry", "is an unknown parameter; known are dryRun, force")]
    [InlineData("POST", "/api/v1/runs?name=x", "name", "is an unknown parameter; there is none here")]
    [InlineData("GET", "/api/v1/runs?limit=1,000", "limit", "is '1,000'; it must be a whole number from 1 to 500")]
    [InlineData("GET", "/api/v1/runs?states=failed", "states", "is an unknown parameter; did you mean state?")]
    [InlineData("GET", "/api/v1/audit?limit=0", "limit", "is '0'; it must be a whole number from 1 to 500")]
    [InlineData("GET", "/api/v1/datasets?after=ccc", "after", "names no data set")]
    public async Task A_query_parameter_is_read_strictly_and_named(string method, string path, string field, string said)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _server.Client.SendAsync(request);

        var error = Assert.Single(
            (await AdminServer.ProblemAsync(response, HttpStatusCode.BadRequest)).GetProperty("errors").EnumerateObject()
        );
        Assert.Equal(field, error.Name);
        Assert.StartsWith(said, error.Value[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Head_is_answered_wherever_get_is()
    {
        var run = NewRun(RunState.Completed);
        await _server.AddAsync(run, await EvaluateAsync(run, "<p>fine</p>"));
        foreach (var path in new[] { "runs", $"runs/{run.Id}", $"runs/{run.Id}/metrics", $"runs/{run.Id}/report", "datasets", "audit" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, $"/api/v1/{path}");
            using var response = await _server.Client.SendAsync(request);

            Assert.Equal((path, HttpStatusCode.OK), (path, response.StatusCode));
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task Penalties_are_no_epochs_and_have_no_learning_rate()
    {
        var run = NewRun(RunState.Completed);
        await _server.AddAsync(run, Penalty(run, 1, 10, 0.9), Penalty(run, 2, 1, 0.5));

        var metrics = await _server.GetAsync($"/api/v1/runs/{run.Id}/metrics");

        Assert.Equal(0, metrics.GetProperty("epochs").GetArrayLength());
        Assert.Equal([10, 1], metrics.GetProperty("penalties").EnumerateArray().Select(step => step.GetProperty("penalty").GetDouble()));
        Assert.Equal(0.5, metrics.GetProperty("penalties")[1].GetProperty("validationLoss").GetDouble());
        Assert.False(metrics.GetProperty("penalties")[0].TryGetProperty("learningRate", out _));
    }

    [Theory]
    [InlineData(2, new[] { 0.9, 0.5, 0.6, 0.7 }, "penalties tried", 4, 30)]
    [InlineData(2, new double[0], "penalties tried", 0, 30)]
    [InlineData(2, new[] { 0.9, 0.5, 0.6, 0.7, 0.8 }, "refitting on training and validation images", 0, null)]
    [InlineData(20, new[] { 0.9, 0.5 }, "penalties tried", 2, 10)]
    [InlineData(20, new[] { 0.9, 0.5, 0.6 }, "refitting on training and validation images", 0, null)]
    public async Task Training_by_penalties_says_how_many_were_tried_and_when_the_head_is_refitted(
        int classes,
        double[] losses,
        string stage,
        int done,
        int? total
    )
    {
        var run = NewRun(RunState.Training);
        run.IngestionKey = "key";
        var last = TrainingSpecification.DefaultPenalties(classes) - 1;
        await _server.AddAsync([
            NewIngestion("key", NewInput() with { Classes = classes }),
            run,
            .. losses.Select((loss, index) => Penalty(run, index + 1, Math.Pow(10, 1 - (7.0 * index / last)), loss)),
        ]);

        var progress = (await _server.GetAsync($"/api/v1/runs/{run.Id}")).GetProperty("progress");

        Assert.Equal(stage, progress.GetProperty("stage").GetString());
        Assert.Equal(done, progress.GetProperty("done").GetInt32());
        Assert.Equal(
            total,
            progress.GetProperty("total").ValueKind == JsonValueKind.Null ? (int?)null : progress.GetProperty("total").GetInt32()
        );
    }

    [Fact]
    public async Task Metrics_are_the_learning_curve_and_the_test_result_once_there()
    {
        var run = NewRun(RunState.Completed);
        await _server.AddAsync(run, Epoch(run, 2, 0.5), Epoch(run, 1, 0.4));
        var before = await _server.GetAsync($"/api/v1/runs/{run.Id}/metrics");
        Assert.Equal([1, 2], before.GetProperty("epochs").EnumerateArray().Select(epoch => epoch.GetProperty("epoch").GetInt32()));
        Assert.Equal(JsonValueKind.Null, before.GetProperty("evaluation").ValueKind);

        await _server.AddAsync(await EvaluateAsync(run, "<p>fine</p>"), Class(run, 1, "dog"), Class(run, 0, "cat"));

        var evaluation = (await _server.GetAsync($"/api/v1/runs/{run.Id}/metrics")).GetProperty("evaluation");
        Assert.Equal(0.75, evaluation.GetProperty("testAccuracy").GetDouble());
        Assert.Equal(
            ["cat", "dog"],
            evaluation.GetProperty("classes").EnumerateArray().Select(metric => metric.GetProperty("className").GetString())
        );
        Assert.Equal(2, evaluation.GetProperty("confusionMatrix")[0][0].GetInt32());
        var detail = await _server.GetAsync($"/api/v1/runs/{run.Id}");
        Assert.Equal(0.75, detail.GetProperty("summary").GetProperty("testAccuracy").GetDouble());
        Assert.Equal($"/api/v1/runs/{run.Id}/report", detail.GetProperty("reportUrl").GetString());
    }

    [Fact]
    public async Task A_run_tells_its_own_input_and_what_to_beware_of()
    {
        var run = NewRun(RunState.Completed);
        (run.IngestionKey, run.DatasetSha256) = ("key", "aaa");
        var earlier = NewRun(RunState.Completed);
        earlier.DatasetSha256 = "aaa";
        await _server.AddAsync(
            // The data set is known from another source.
            NewDataset("aaa", Noon),
            NewIngestion("key", NewInput()),
            run,
            earlier,
            await EvaluateAsync(run, report: null, topK: null),
            Class(run, 0, "cat"),
            new ClassMetric
            {
                RunId = run.Id,
                Label = 1,
                ClassName = "dog",
                Precision = null,
                Recall = null,
                F1 = null,
                Support = 0,
            }
        );

        var detail = await _server.GetAsync($"/api/v1/runs/{run.Id}");

        var input = detail.GetProperty("input");
        Assert.Equal(
            ("copies", "/data/copies", 1),
            (input.GetProperty("name").GetString(), input.GetProperty("source").GetString(), input.GetProperty("skippedCount").GetInt32())
        );
        Assert.Equal("unsupportedFormat", input.GetProperty("skippedByReason")[0].GetProperty("reason").GetString());
        Assert.Equal("a.heic", input.GetProperty("skipped")[0].GetProperty("name").GetString());
        Assert.Equal(
            ["20 % of the files were skipped", "1 of 2 classes has no test image: 'dog'"],
            detail.GetProperty("warnings").EnumerateArray().Select(warning => warning.GetString()!.Split(',', '.')[0])
        );
        var evaluation = (await _server.GetAsync($"/api/v1/runs/{run.Id}/metrics")).GetProperty("evaluation");
        Assert.Equal(1, evaluation.GetProperty("macroF1Classes").GetInt32());
        Assert.Equal(JsonValueKind.Null, evaluation.GetProperty("topKAccuracy").ValueKind);
        Assert.Equal(JsonValueKind.Null, evaluation.GetProperty("classes")[1].GetProperty("recall").ValueKind);
        Assert.Equal(JsonValueKind.Null, (await _server.GetAsync($"/api/v1/runs/{earlier.Id}")).GetProperty("input").ValueKind);
    }

    [Fact]
    public async Task A_report_is_served_with_a_policy_that_lets_nothing_run()
    {
        var run = NewRun(RunState.Completed);
        await _server.AddAsync(run);
        var problem = await _server.GetProblemAsync($"/api/v1/runs/{run.Id}/report", HttpStatusCode.NotFound);
        Assert.Contains("no report yet", problem.GetProperty("title").GetString());
        await _server.AddAsync(await EvaluateAsync(run, "<p>85.0 %</p>"));

        using var response = await _server.Client.GetAsync($"/api/v1/runs/{run.Id}/report");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("<p>85.0 %</p>", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Data_sets_are_listed_and_found()
    {
        await _server.AddAsync(NewDataset("aaa", Noon), NewDataset("bbb", Noon.AddDays(1)));

        var list = await _server.GetAsync("/api/v1/datasets");
        Assert.Equal(
            ["bbb", "aaa"],
            list.GetProperty("items").EnumerateArray().Select(dataset => dataset.GetProperty("sha256").GetString())
        );
        Assert.Equal(JsonValueKind.Null, list.GetProperty("next").ValueKind);
        var first = await _server.GetAsync("/api/v1/datasets?limit=1");
        Assert.Equal(
            ("bbb", "bbb"),
            (first.GetProperty("items")[0].GetProperty("sha256").GetString(), first.GetProperty("next").GetString())
        );
        var second = await _server.GetAsync("/api/v1/datasets?limit=1&after=bbb");
        Assert.Equal("aaa", Assert.Single(second.GetProperty("items").EnumerateArray()).GetProperty("sha256").GetString());
        var found = await _server.GetAsync("/api/v1/datasets/aaa");
        Assert.Equal(["cat", "dog"], found.GetProperty("classNames").EnumerateArray().Select(name => name.GetString()));
        await _server.GetProblemAsync("/api/v1/datasets/ccc", HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("GET", "/api/v1/runs/00000000-0000-0000-0000-000000000001", 404)]
    [InlineData("GET", "/api/v1/runs/00000000-0000-0000-0000-000000000001/metrics", 404)]
    [InlineData("GET", "/api/v1/runs/00000000-0000-0000-0000-000000000001/report", 404)]
    [InlineData("POST", "/api/v1/runs/00000000-0000-0000-0000-000000000001/cancel", 404)]
    [InlineData("GET", "/api/v1/runs/no-id", 404)]
    [InlineData("GET", "/api/v1/nothing", 404)]
    [InlineData("DELETE", "/api/v1/runs", 405)]
    [InlineData("GET", "/api/v1/runs?limit=many", 400)]
    [InlineData("GET", "/api/v1/runs?after=here", 400)]
    public async Task Every_error_is_a_problem(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _server.Client.SendAsync(request);

        await AdminServer.ProblemAsync(response, (HttpStatusCode)status);
    }

    [Fact]
    public async Task A_damaged_report_is_gone_by_name_and_the_answer_tells_how_to_get_it_again()
    {
        var run = NewRun(RunState.Completed);
        var evaluation = await EvaluateAsync(run, "<p>fine</p>");
        await _server.AddAsync(run, evaluation);
        await File.WriteAllTextAsync(_server.Services.GetRequiredService<Volume>().FullPath(evaluation.Report!.Path), "<p>evil</p>");

        var detail = (await _server.GetProblemAsync($"/api/v1/runs/{run.Id}/report", HttpStatusCode.Gone))
            .GetProperty("detail")
            .GetString();
        Assert.Contains($"'{evaluation.Report.Path}' on the volume is damaged", detail);
        Assert.Contains("Submit the run's specification again", detail);
    }

    [Fact]
    public async Task A_run_that_asked_for_no_report_has_no_address_of_one_and_says_where_its_figures_are()
    {
        var run = NewRun(RunState.Completed);
        var evaluation = await EvaluateAsync(run, report: null);
        await _server.AddAsync(run, evaluation);

        Assert.Equal(JsonValueKind.Null, (await _server.GetAsync($"/api/v1/runs/{run.Id}")).GetProperty("reportUrl").ValueKind);
        var detail = (await _server.GetProblemAsync($"/api/v1/runs/{run.Id}/report", HttpStatusCode.NotFound))
            .GetProperty("detail")
            .GetString();
        Assert.Contains($"/api/v1/runs/{run.Id}/metrics", detail);
        Assert.Equal(
            evaluation.TestAccuracy,
            (await _server.GetAsync($"/api/v1/runs/{run.Id}/metrics")).GetProperty("evaluation").GetProperty("testAccuracy").GetDouble()
        );
    }

    private static Guid Id(JsonElement run) => run.GetProperty("runId").GetGuid();

    private static Run NewRun(
        RunState state = RunState.Submitted,
        string[]? tags = null,
        string? name = null,
        DateTime? submittedAt = null
    ) =>
        new()
        {
            Id = Guid.NewGuid(),
            Name = name,
            Tags = tags ?? [],
            Specification = ContractJson.Write(new RunSpecification()),
            State = state,
            SubmittedAt = submittedAt ?? Noon,
            EndPublishedAt = Noon,
        };

    private static EpochMetric Epoch(Run run, int epoch, double accuracy) =>
        new()
        {
            RunId = run.Id,
            Trial = 0,
            Epoch = epoch,
            TrainLoss = 1,
            TrainAccuracy = accuracy,
            LearningRate = 0.001,
        };

    private static EpochMetric Penalty(Run run, int step, double penalty, double validationLoss) =>
        new()
        {
            RunId = run.Id,
            Trial = 0,
            Epoch = step,
            TrainLoss = 1,
            TrainAccuracy = 1,
            ValidationLoss = validationLoss,
            ValidationAccuracy = 1,
            LearningRate = 0,
            Penalty = penalty,
        };

    private static ClassMetric Class(Run run, int label, string name) =>
        new()
        {
            RunId = run.Id,
            Label = label,
            ClassName = name,
            Precision = 1,
            Recall = 1,
            F1 = 1,
            Support = 2,
        };

    private static Dataset NewDataset(string sha256, DateTime createdAt) =>
        new()
        {
            Sha256 = sha256,
            Name = "pets",
            Source = "/data/pets",
            ImageCount = 4,
            ClassNames = ["cat", "dog"],
            Manifest = new StoredFile("datasets/manifest.json", 1, "00"),
            CreatedAt = createdAt,
        };

    private static Ingestion NewIngestion(string key, IngestionSummary summary) =>
        new()
        {
            Key = key,
            Source = "/data/copies",
            SquareSize = 96,
            CropShare = 1,
            Resampling = ResampleFilter.Bicubic,
            Fit = FitMode.Crop,
            Decoding = JpegDecoding.Scaled,
            FileIndex = new StoredFile("ingestions/index.json", 1, "00"),
            EntryCount = 4,
            PartSize = 4,
            PartCount = 1,
            CreatedAt = Noon,
            SkippedCount = 1,
            Summary = summary,
        };

    private static IngestionSummary NewInput() =>
        new()
        {
            Name = "copies",
            Source = "/data/copies",
            Files = 5,
            Images = 4,
            Classes = 2,
            Splits = new GivenSplits(0, 0, 0, 4),
            Notes = [],
            SkippedCount = 1,
            SkippedByReason = [new SkippedByReason("unsupportedFormat", "unsupported format", 1, "convert it")],
            Skipped = [new SkippedInput("a.heic", "unsupportedFormat", "a HEIC image")],
            Duplicates = new DuplicateCounts(0, 0, 0, 0),
            Contradictions = [],
            ContradictingClasses = [],
        };

    private async Task<Evaluation> EvaluateAsync(Run run, string? report, double? topK = 1) =>
        new()
        {
            RunId = run.Id,
            DatasetSha256 = run.DatasetSha256 ?? "d",
            Trial = 0,
            TestImages = 4,
            TestAccuracy = 0.75,
            TestAccuracyLow = 0.3,
            TestAccuracyHigh = 0.95,
            TestLoss = 0.5,
            TopK = 2,
            TopKAccuracy = topK,
            MacroF1 = 0.7,
            ConfusionMatrix = "[[2,0],[1,1]]",
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
            HeadSha256 = "00",
            Report = report is null
                ? null
                : await _server
                    .Services.GetRequiredService<Volume>()
                    .WriteAsync(
                        $"runs/{run.Id}/report.html",
                        (stream, token) => stream.WriteAsync(Encoding.UTF8.GetBytes(report), token).AsTask()
                    ),
            CreatedAt = Noon,
        };

    /// <summary>Lets something happen between the first question and the second.</summary>
    private sealed class InterruptedReading(string connectionString, Action? interrupt = null)
        : DbCommandInterceptor,
            IDbContextFactory<CatalogContext>
    {
        private int _questions;

        public bool WasInterrupted => _questions > 1;

        public CatalogContext CreateDbContext() =>
            new SqliteCatalogContext(
                new DbContextOptionsBuilder<SqliteCatalogContext>()
                    .UseSqlite(connectionString)
                    .UseSnakeCaseNamingConvention()
                    .AddInterceptors(this)
                    .Options
            );

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command,
            CommandEventData eventData,
            InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default
        )
        {
            if (++_questions == 2)
            {
                interrupt?.Invoke();
            }

            return ValueTask.FromResult(result);
        }
    }
}
