using System.Net;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class SqliteEventTests : EventTests
{
    protected override Task<string?> CreateDatabaseAsync() => Task.FromResult<string?>(null);

    protected override ValueTask DropDatabaseAsync() => ValueTask.CompletedTask;
}

public sealed class PostgresEventTests : EventTests
{
    private PostgresDatabase? _database;

    protected override async Task<string?> CreateDatabaseAsync() => (_database = await PostgresDatabase.CreateAsync()).ConnectionString;

    protected override ValueTask DropDatabaseAsync() => _database!.DisposeAsync();

    [Fact]
    public async Task Changes_that_become_visible_in_another_order_than_they_were_made_are_heard_once_each()
    {
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client);
        var contexts = Server.Services.GetRequiredService<IDbContextFactory<CatalogContext>>();
        await using var early = await contexts.CreateDbContextAsync();
        await using var opened = await early.Database.BeginTransactionAsync();
        early.Runs.Add(NewRun("early"));
        await early.SaveChangesAsync();
        // The change of the later transaction is there, and that of the earlier one is not.
        await Server.AddAsync(NewRun("late"));
        // Whoever comes now, and whoever listens already, is told neither before both are settled.
        await using var newcomer = await EventReader.ListenFromNowAsync(Server.Client);
        var place = newcomer.LastId;

        await opened.CommitAsync();

        var heard = await listener.UntilAsync(IsRun("late"));
        Assert.Equal(["early", "late"], Names(heard));
        Assert.Equal(["early", "late"], Names(await newcomer.UntilAsync(IsRun("late"))));
        await using var again = await EventReader.ListenAsync(Server.Client, lastId: place);
        Assert.Equal(["early", "late"], Names(await again.UntilAsync(IsRun("late"))));
    }

    [Fact]
    public async Task The_changes_of_another_servers_catalog_are_dropped_when_it_is_restored_here()
    {
        await Server.QueryAsync(context =>
            context.Database.ExecuteSqlRawAsync(
                "INSERT INTO changes (transaction_id, at, kind, data) VALUES (9000000000000, now(), 'run', '[]')"
            )
        );

        await Server.QueryAsync(async context =>
        {
            await CatalogMigration.MigrateAsync(context, CancellationToken.None);
            return true;
        });

        await using var listener = await EventReader.ListenAsync(Server.Client, lastId: "9000000000000-1");
        Assert.Equal("reset", (await listener.NextAsync()).Kind);
        await Server.AddAsync(NewRun("after it"));
        await listener.UntilAsync(IsRun("after it"));
    }
}

public abstract class EventTests : IAsyncLifetime
{
    private AdminServer? _server;
    private string? _catalog;

    private protected AdminServer Server => _server!;

    public async ValueTask InitializeAsync()
    {
        _catalog = await CreateDatabaseAsync();
        _server = await AdminServer.StartAsync(_catalog);
        await _server.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(TimeSpan.FromSeconds(60));
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _server!.DisposeAsync();
        await DropDatabaseAsync();
    }

    [Fact]
    public async Task What_is_done_to_a_run_is_heard_in_its_order()
    {
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client);

        var run = await Server.SubmitAsync("""{"name":"heard","tags":["a","b"]}""");
        using var cancelled = await Server.Client.PostAsync($"/api/v1/runs/{run}/cancel", content: null);

        var heard = await listener.UntilAsync(one => one.Text("state") == "cancelled");
        var runs = heard.Where(one => one.Kind == "run").ToList();
        Assert.Equal(["submitted submitted", "moved cancelled"], runs.Select(one => $"{one.Text("change")} {one.Text("state")}"));
        Assert.All(runs, one => Assert.Equal((run.ToString(), "heard"), (one.Text("runId"), one.Text("name"))));
        Assert.Equal("""["a","b"]""", runs[0].Data.GetProperty("tags").GetRawText().Replace(" ", "", StringComparison.Ordinal));
        Assert.All(heard, one => Assert.Equal(one.Id, one.Text("id")));
        Assert.All(
            heard,
            one => Assert.InRange(one.Data.GetProperty("at").GetDateTime(), DateTime.UtcNow.AddHours(-1), DateTime.UtcNow.AddHours(1))
        );
        Assert.Contains(heard, one => one.Kind == "joined" && one.Text("scope") == run.ToString());
    }

    [Fact]
    public async Task Results_epochs_trials_and_the_progress_of_shared_jobs_are_heard()
    {
        var run = NewRun("measured");
        await Server.AddAsync(run, new RunDependency { RunId = run.Id, Scope = "features" });
        await Server.QueryAsync(async context =>
        {
            context.PlanJobs(nameof(ExtractFeatures), "features", [0, 1, 2], traceParent: null, DateTime.UtcNow);
            return await context.SaveChangesAsync();
        });
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client, $"?run={run.Id}");

        await Server.AddAsync(
            new EpochMetric
            {
                RunId = run.Id,
                Trial = 0,
                Epoch = 1,
                TrainLoss = 0.5,
                TrainAccuracy = 0.75,
                LearningRate = 0,
                Penalty = 0.01,
            },
            new RunDependency { RunId = run.Id, Scope = "audit" }
        );
        await Server.QueryAsync(context =>
            context.Jobs.Where(job => job.Step < 2).ExecuteUpdateAsync(job => job.SetProperty(j => j.State, JobState.Done))
        );
        await Server.QueryAsync(context =>
            context.Trials.Where(trial => trial.RunId == run.Id).ExecuteUpdateAsync(trial => trial.SetProperty(t => t.ValidationLoss, 0.25))
        );
        await Server.AddAsync(Evaluation(run.Id));

        var heard = await listener.UntilAsync(one => one.Kind == "result");
        var epoch = heard.Single(one => one.Kind == "epoch");
        Assert.Equal(
            ("1", 0.5, 0.01),
            (epoch.Text("epoch"), epoch.Data.GetProperty("trainLoss").GetDouble(), epoch.Data.GetProperty("penalty").GetDouble())
        );
        Assert.Null(epoch.Text("validationLoss"));
        // Of several jobs that are done at once the last one tells.
        var progress = heard.Last(one => one.Kind == "progress");
        Assert.Equal(
            ("ExtractFeatures", "2", "3", "features"),
            (progress.Text("job"), progress.Text("done"), progress.Text("total"), progress.Text("scope"))
        );
        Assert.Equal(0.25, heard.Single(one => one.Kind == "trial").Data.GetProperty("validationLoss").GetDouble());
        Assert.Equal(0.75, heard[^1].Data.GetProperty("testAccuracy").GetDouble());
    }

    [Fact]
    public async Task Who_listens_to_one_run_hears_nothing_of_others()
    {
        var (own, other) = (NewRun("own"), NewRun("other"));
        await Server.AddAsync(own, other);
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client, $"?run={own.Id}");

        foreach (var run in (Run[])[other, own])
        {
            await Server.QueryAsync(context =>
                context.Runs.Where(row => row.Id == run.Id).ExecuteUpdateAsync(row => row.SetProperty(r => r.State, RunState.Training))
            );
        }

        Assert.Equal(["own"], Names(await listener.UntilAsync(one => one.Kind == "run")));
    }

    [Fact]
    public async Task Versions_and_aliases_of_models_are_heard()
    {
        var run = NewRun("head");
        await Server.AddAsync(run);
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client);

        await Server.AddAsync(
            new Model { Name = "flowers", CreatedAt = DateTime.UtcNow },
            new ModelVersion
            {
                ModelName = "flowers",
                Number = 1,
                RunId = run.Id,
                Head = new StoredFile("head", 1, "00"),
                Lineage = "{}",
                CreatedAt = DateTime.UtcNow,
                CreatedBy = "me",
            }
        );
        await Server
            .Services.GetRequiredService<ModelRegistry>()
            .DescribeAsync("flowers", "of a garden", revision: null, AuditActor.Loopback, CancellationToken.None);
        await PutAsync("/api/v1/models/flowers/aliases/champion", """{"version":1,"reason":"first"}""");
        using var removed = await Server.Client.DeleteAsync("/api/v1/models/flowers/aliases/champion");

        var heard = (await listener.UntilAsync(one => one.Text("change") == "aliasRemoved")).Where(one => one.Kind == "model").ToList();
        Assert.Equal(["created", "registered", "described", "promoted", "aliasRemoved"], heard.Select(one => one.Text("change")));
        var promoted = heard.Single(one => one.Text("change") == "promoted");
        Assert.Equal(
            ("flowers", "champion", "1", "first", null),
            (promoted.Text("model"), promoted.Text("alias"), promoted.Text("to"), promoted.Text("reason"), promoted.Text("from"))
        );
    }

    [Fact]
    public async Task Who_comes_again_hears_what_was_committed_meanwhile_once_and_in_order()
    {
        var heard = new List<HeardEvent>();
        string? place;
        await using (var listener = await EventReader.ListenFromNowAsync(Server.Client))
        {
            place = listener.LastId;
        }

        for (var round = 0; round < 5; round++)
        {
            // Before it comes again, and while it does.
            await Server.AddAsync(NewRun($"{round} before"));
            var meanwhile = Server.AddAsync(NewRun($"{round} meanwhile"));
            await using var listener = await EventReader.ListenAsync(Server.Client, lastId: place);
            await meanwhile;
            heard.AddRange(await listener.UntilAsync(IsRun($"{round} meanwhile")));
            place = heard[^1].Id;
        }

        Assert.Equal(Enumerable.Range(0, 5).SelectMany(round => (string[])[$"{round} before", $"{round} meanwhile"]), Names(heard));
        Assert.Equal(heard.Count, heard.Select(one => one.Id).Distinct(StringComparer.Ordinal).Count());
        // Of every row one event, in the order of the catalog.
        var rows = await Server.QueryAsync(context =>
            context
                .Changes.Where(change => change.Kind == "run")
                .OrderBy(change => change.TransactionId)
                .ThenBy(change => change.Id)
                .ToListAsync()
        );
        Assert.Equal(
            rows.Select(row => $"{row.TransactionId}-{row.Id}").SkipWhile(id => id != heard.First(one => one.Kind == "run").Id),
            heard.Where(one => one.Kind == "run").Select(one => one.Id)
        );
    }

    [Fact]
    public async Task A_server_that_was_started_again_goes_on_with_its_listeners()
    {
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client);
        await Server.AddAsync(NewRun("before"));
        var place = (await listener.UntilAsync(IsRun("before")))[^1].Id;
        await Server.AddAsync(NewRun("between"));
        var catalog = _catalog ?? $"Data Source={Path.Combine(Server.Directory, "catalog.db")};Pooling=False";

        await using var second = await AdminServer.StartAsync(catalog);
        await second.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(TimeSpan.FromSeconds(60));
        await using var again = await EventReader.ListenAsync(second.Client, lastId: place);
        await Server.AddAsync(NewRun("after"));

        Assert.Equal(["between", "after"], Names(await again.UntilAsync(IsRun("after"))));
    }

    [Fact]
    public async Task Who_was_away_longer_than_events_are_kept_is_told_to_load_again()
    {
        await using (var listener = await EventReader.ListenAsync(Server.Client, lastId: "0-999999"))
        {
            Assert.Equal("reset", (await listener.NextAsync()).Kind);
            await Server.AddAsync(NewRun("after the reset"));
            Assert.Equal(["after the reset"], Names(await listener.UntilAsync(IsRun("after the reset"))));
        }

        await using var other = await EventReader.ListenAsync(Server.Client, "?after=77777777777-5");
        Assert.Equal("reset", (await other.NextAsync()).Kind);
    }

    [Theory]
    [InlineData("?after=yesterday", "after")]
    [InlineData("?after=1-2-3", "after")]
    [InlineData("?after=-1-2", "after")]
    [InlineData("?run=yesterday", "run")]
    [InlineData("?since=1-2", "since")]
    public async Task A_wrong_parameter_is_named(string query, string field)
    {
        var problem = await Server.GetProblemAsync($"/api/v1/events{query}", HttpStatusCode.BadRequest);

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Fact]
    public async Task A_run_that_is_not_there_is_not_listened_to() =>
        await Server.GetProblemAsync($"/api/v1/events?run={Guid.NewGuid()}", HttpStatusCode.NotFound);

    [Fact]
    public async Task A_stream_is_neither_cached_nor_buffered_and_says_when_to_come_again()
    {
        await using var listener = await EventReader.ListenFromNowAsync(Server.Client);

        Assert.True(listener.Response.Headers.CacheControl?.NoStore);
        Assert.Equal("no", listener.Response.Headers.GetValues("X-Accel-Buffering").Single());
    }

    protected abstract Task<string?> CreateDatabaseAsync();

    protected abstract ValueTask DropDatabaseAsync();

    private protected static Func<HeardEvent, bool> IsRun(string name) => one => one.Kind == "run" && one.Text("name") == name;

    private protected static IEnumerable<string?> Names(IEnumerable<HeardEvent> heard) =>
        heard.Where(one => one.Kind == "run").Select(one => one.Text("name"));

    private protected static Run NewRun(string name) =>
        new()
        {
            Id = Guid.NewGuid(),
            Name = name,
            Tags = [],
            Specification = "{}",
            SubmittedAt = DateTime.UtcNow,
        };

    private async Task PutAsync(string path, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await Server.Client.PutAsync(path, content);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private static Evaluation Evaluation(Guid runId) =>
        new()
        {
            RunId = runId,
            DatasetSha256 = "d",
            Trial = 0,
            TestImages = 4,
            TestAccuracy = 0.75,
            TestAccuracyLow = 0.3,
            TestAccuracyHigh = 0.95,
            TestLoss = 0.5,
            TopK = 1,
            TopKAccuracy = 1,
            MacroF1 = 1,
            ConfusionMatrix = "[[1]]",
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
            HeadSha256 = "",
            Report = null,
            CreatedAt = DateTime.UtcNow,
        };
}
