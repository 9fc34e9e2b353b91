using System.Net;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class JobTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_jobs_of_a_run_tell_each_attempt_with_worker_outcome_and_error()
    {
        var run = await _server.SubmitAsync();
        var lease = await ClaimAsync(run, "one/1");
        await Store.RetryAsync(lease, "no luck", CancellationToken.None);
        lease = await ClaimAsync(run, "two/2");

        var job = (await _server.GetAsync($"/api/v1/runs/{run}/jobs")).GetProperty("items").EnumerateArray().Single();

        Assert.Equal(
            ("IngestDataset", "running", "no luck", 2, false),
            (
                job.GetProperty("kind").GetString(),
                job.GetProperty("state").GetString(),
                job.GetProperty("lastError").GetString(),
                job.GetProperty("countedAttempts").GetInt32(),
                job.GetProperty("isShared").GetBoolean()
            )
        );
        Assert.Equal(
            ["one/1 retried no luck", "two/2  "],
            job.GetProperty("attempts")
                .EnumerateArray()
                .Select(attempt =>
                    string.Join(
                        ' ',
                        ((string[])["worker", "outcome", "error"]).Select(field => attempt.GetProperty(field).GetString() ?? "")
                    )
                )
        );
        Assert.All(job.GetProperty("attempts").EnumerateArray(), attempt => Assert.False(attempt.GetProperty("isLost").GetBoolean()));
    }

    [Fact]
    public async Task Jobs_come_in_pages_and_by_state_and_shared_ones_are_among_them()
    {
        var run = await _server.SubmitAsync();
        await _server.QueryAsync(context =>
        {
            context.PlanJobs(nameof(ExtractFeatures), "features", [0, 1, 2], traceParent: null, DateTime.UtcNow);
            context.RunDependencies.Add(new RunDependency { RunId = run, Scope = "features" });
            return context.SaveChangesAsync();
        });
        await _server.QueryAsync(context =>
            context.Jobs.Where(job => job.Step == 1).ExecuteUpdateAsync(job => job.SetProperty(j => j.State, JobState.Done))
        );

        var steps = new List<string>();
        for (var next = "0"; next is not null; )
        {
            var page = await _server.GetAsync($"/api/v1/runs/{run}/jobs?limit=2&after={next}");
            steps.AddRange(
                page.GetProperty("items").EnumerateArray().Select(job => $"{job.GetProperty("kind")} {job.GetProperty("step")}")
            );
            next = page.GetProperty("next").ValueKind == JsonValueKind.Null ? null : page.GetProperty("next").ToString();
        }

        Assert.Equal(["IngestDataset 0", "ExtractFeatures 0", "ExtractFeatures 1", "ExtractFeatures 2"], steps);
        var done = await _server.GetAsync($"/api/v1/runs/{run}/jobs?state=done");
        Assert.Equal([1], done.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("step").GetInt32()));
        await _server.GetProblemAsync($"/api/v1/runs/{Guid.NewGuid()}/jobs", HttpStatusCode.NotFound);
        await _server.GetProblemAsync($"/api/v1/runs/{run}/jobs?after=last", HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_failed_job_that_is_requeued_opens_its_run_again()
    {
        var run = await _server.SubmitAsync();
        await Store.FailAsync(await ClaimAsync(run, "one/1"), new JobFailure(FailureCause.Input, "bad"), CancellationToken.None);
        var job = (await _server.GetAsync($"/api/v1/runs/{run}/jobs?state=failed"))
            .GetProperty("items")
            .EnumerateArray()
            .Single()
            .GetProperty("id")
            .GetInt64();

        using var requeued = await _server.Client.PostAsync($"/api/v1/runs/{run}/jobs/{job}/requeue", content: null);
        using var again = await _server.Client.PostAsync($"/api/v1/runs/{run}/jobs/{job}/requeue", content: null);
        using var other = await _server.Client.PostAsync($"/api/v1/runs/{run}/jobs/{job + 1}/requeue", content: null);

        Assert.Equal(
            (HttpStatusCode.Accepted, HttpStatusCode.Conflict, HttpStatusCode.NotFound),
            (requeued.StatusCode, again.StatusCode, other.StatusCode)
        );
        Assert.Equal("submitted", (await AdminServer.JsonAsync(requeued)).GetProperty("summary").GetProperty("state").GetString());
        var audit = await _server.GetAsync($"/api/v1/audit?subject={run}");
        Assert.Equal(
            ["jobRequeued", "runRetried", "runSubmitted"],
            audit.GetProperty("items").EnumerateArray().Select(entry => entry.GetProperty("action").GetString())
        );
        // What failed for its input is no dead letter.
        Assert.Empty((await _server.GetAsync("/api/v1/dead-letters")).GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task A_job_without_attempts_left_is_a_dead_letter_that_can_be_requeued_once()
    {
        var run = await _server.SubmitAsync();
        await ExhaustAsync(run);
        Assert.Equal("failed", (await _server.GetAsync($"/api/v1/runs/{run}")).GetProperty("summary").GetProperty("state").GetString());

        var letter = (await _server.GetAsync("/api/v1/dead-letters?open=true")).GetProperty("items").EnumerateArray().Single();

        Assert.Equal(
            (run.ToString(), "ingest-dataset", "IngestDataset"),
            (
                letter.GetProperty("runId").GetString(),
                letter.GetProperty("queue").GetString(),
                letter.GetProperty("job").GetProperty("kind").GetString()
            )
        );
        Assert.Contains("attempted 5 times", letter.GetProperty("reason").GetString(), StringComparison.Ordinal);
        var path = $"/api/v1/dead-letters/{letter.GetProperty("id").GetString()}/requeue";
        using var requeued = await _server.Client.PostAsync(path, content: null);
        using var again = await _server.Client.PostAsync(path, content: null);
        using var unknown = await _server.Client.PostAsync($"/api/v1/dead-letters/{Guid.NewGuid()}/requeue", content: null);
        Assert.Equal(
            (HttpStatusCode.Accepted, HttpStatusCode.Conflict, HttpStatusCode.NotFound),
            (requeued.StatusCode, again.StatusCode, unknown.StatusCode)
        );
        Assert.Equal("submitted", (await _server.GetAsync($"/api/v1/runs/{run}")).GetProperty("summary").GetProperty("state").GetString());
        Assert.Empty((await _server.GetAsync("/api/v1/dead-letters?open=true")).GetProperty("items").EnumerateArray());
        var kept = (await _server.GetAsync("/api/v1/dead-letters")).GetProperty("items").EnumerateArray().Single();
        Assert.Equal("loopback", kept.GetProperty("requeuedBy").GetString());
        var audit = await _server.GetAsync($"/api/v1/audit?subject={letter.GetProperty("id").GetString()}");
        Assert.Equal("deadLetterRequeued", audit.GetProperty("items").EnumerateArray().Single().GetProperty("action").GetString());

        // It fails again, and is given up again.
        await ExhaustAsync(run);
        Assert.Equal(2, (await _server.GetAsync("/api/v1/dead-letters?limit=10")).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task Only_operators_requeue()
    {
        await using var server = await AdminServer.StartAsync(settings: ("Api:Keys", "required"));
        var key = await server
            .Services.GetRequiredService<Access.ApiKeyStore>()
            .CreateAsync("reader", ApiRole.Reader, AuditActor.Account, CancellationToken.None);
        server.Client.DefaultRequestHeaders.Add("X-Api-Key", key!.Reveal());

        foreach (var path in (string[])[$"dead-letters/{Guid.NewGuid()}/requeue", $"runs/{Guid.NewGuid()}/jobs/1/requeue"])
        {
            using var response = await server.Client.PostAsync($"/api/v1/{path}", content: null);
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        foreach (var path in (string[])["dead-letters", "queues", "workers"])
        {
            await server.GetAsync($"/api/v1/{path}");
        }

        // A reader may listen.
        await using var listener = await EventReader.ListenFromNowAsync(server.Client);
    }

    [Fact]
    public async Task Queues_tell_what_waits_is_worked_on_and_blocked_of_jobs_that_open_runs_need()
    {
        var run = await _server.SubmitAsync();
        await _server.QueryAsync(context =>
        {
            context.PlanJobs(nameof(ExtractFeatures), "features", [0, 1, 2, 3], traceParent: null, DateTime.UtcNow.AddHours(-1));
            context.PlanJobs(nameof(ExtractFeatures), "nobody's", [0, 1, 2, 3], traceParent: null, DateTime.UtcNow);
            context.RunDependencies.Add(new RunDependency { RunId = run, Scope = "features" });
            return context.SaveChangesAsync();
        });
        await SetAsync(0, JobState.Running);
        await SetAsync(1, JobState.Blocked);

        var queues = (await _server.GetAsync("/api/v1/queues")).GetProperty("items").EnumerateArray().ToList();

        Assert.Equal(
            [
                "IngestDataset",
                "DownloadFile",
                "PackImages",
                "CompleteDataset",
                "CompareBackbones",
                "PlanFeatures",
                "ExtractFeatures",
                "TrainHead",
                "EvaluateHead",
                "PredictDataset",
            ],
            queues.Select(queue => queue.GetProperty("kind").GetString())
        );
        var extraction = queues[6];
        Assert.Equal(
            (2, 1, 1),
            (
                extraction.GetProperty("waiting").GetInt32(),
                extraction.GetProperty("running").GetInt32(),
                extraction.GetProperty("blocked").GetInt32()
            )
        );
        Assert.InRange(
            extraction.GetProperty("oldestWaitingSince").GetDateTime(),
            DateTime.UtcNow.AddHours(-2),
            DateTime.UtcNow.AddMinutes(-30)
        );
        Assert.Equal(1, extraction.GetProperty("consumers").GetInt32());
        Assert.Equal(JsonValueKind.Null, queues[7].GetProperty("oldestWaitingSince").ValueKind);
    }

    [Fact]
    public async Task Workers_are_listed_with_what_they_do_until_they_are_lost()
    {
        var run = await _server.SubmitAsync();
        await AdminServer.UntilAsync(async () => (await WorkersAsync()).Count == 1);
        await ClaimAsync(run, JobWorker.Name);

        var worker = (await WorkersAsync()).Single();

        Assert.Equal(
            (JobWorker.Name, "admin-api", "alive", Environment.MachineName),
            (
                worker.GetProperty("name").GetString(),
                worker.GetProperty("service").GetString(),
                worker.GetProperty("state").GetString(),
                worker.GetProperty("machine").GetString()
            )
        );
        Assert.InRange(worker.GetProperty("memoryBytes").GetInt64(), 1 << 20, long.MaxValue);
        Assert.InRange(worker.GetProperty("processorShare").GetDouble(), 0, 1);
        var job = worker.GetProperty("jobs").EnumerateArray().Single();
        Assert.Equal(("IngestDataset", run.ToString()), (job.GetProperty("kind").GetString(), job.GetProperty("runId").GetString()));

        await _server.AddAsync(Other("gone/7", DateTime.UtcNow.AddMinutes(-1)), Other("forgotten/8", DateTime.UtcNow.AddHours(-2)));
        await ActivatorUtilities.CreateInstance<Events.LiveUpkeep>(_server.Services).RunAsync(CancellationToken.None);
        Assert.Equal(
            [$"{JobWorker.Name} alive", "gone/7 lost"],
            (await WorkersAsync()).Select(one => $"{one.GetProperty("name").GetString()} {one.GetProperty("state").GetString()}")
        );
    }

    [Fact]
    public async Task Changes_that_are_old_are_removed_but_for_the_latest_and_what_no_webhook_was_told()
    {
        await _server.SubmitAsync();
        await _server.SubmitAsync();
        await _server.QueryAsync(context =>
            context.Changes.ExecuteUpdateAsync(row => row.SetProperty(c => c.At, DateTime.UtcNow.AddHours(-2)))
        );
        var ids = await _server.QueryAsync(context => context.Changes.Select(change => change.Id).Order().ToListAsync());
        var latest = ids[^1];
        await _server.AddAsync(new WebhookCursor { TransactionId = 0, ChangeId = ids[2] });

        await ActivatorUtilities.CreateInstance<Events.LiveUpkeep>(_server.Services).RunAsync(CancellationToken.None);
        var left = await _server.QueryAsync(context =>
            context.Changes.Where(change => change.Id <= latest).Select(change => change.Id).Order().ToListAsync()
        );
        await _server.QueryAsync(context => context.WebhookCursors.ExecuteDeleteAsync());
        await ActivatorUtilities.CreateInstance<Events.LiveUpkeep>(_server.Services).RunAsync(CancellationToken.None);

        Assert.All(left, id => Assert.True(id >= ids[2]));
        Assert.Contains(latest, left);
        Assert.Equal(1, await _server.QueryAsync(context => context.Changes.OrderByDescending(change => change.Id).Take(1).CountAsync()));
    }

    private JobStore Store => _server.Services.GetRequiredService<JobStore>();

    private async Task<List<JsonElement>> WorkersAsync() =>
        [.. (await _server.GetAsync("/api/v1/workers")).GetProperty("items").EnumerateArray()];

    private async Task<JobLease> ClaimAsync(Guid run, string worker)
    {
        var claim = await Store.ClaimAsync(
            new JobKey(nameof(IngestDataset), run.ToString(), 0),
            worker,
            redelivered: false,
            CancellationToken.None
        );
        Assert.Equal(ClaimOutcome.Claimed, claim.Outcome);
        return claim.Lease!;
    }

    private async Task ExhaustAsync(Guid run)
    {
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await Store.RetryAsync(await ClaimAsync(run, "one/1"), "no luck", CancellationToken.None);
        }

        var claim = await Store.ClaimAsync(
            new JobKey(nameof(IngestDataset), run.ToString(), 0),
            "one/1",
            redelivered: false,
            CancellationToken.None
        );
        Assert.Equal(ClaimOutcome.Poisoned, claim.Outcome);
    }

    private Task<int> SetAsync(int step, JobState state) =>
        _server.QueryAsync(context =>
            context
                .Jobs.Where(job => job.Scope == "features" && job.Step == step)
                .ExecuteUpdateAsync(job => job.SetProperty(j => j.State, state))
        );

    private static Worker Other(string name, DateTime seenAt) =>
        new()
        {
            Name = name,
            Machine = "elsewhere",
            Service = "training",
            Version = "1",
            StartedAt = seenAt,
            SeenAt = seenAt,
            Processors = 2,
            ProcessorShare = 0,
            MemoryBytes = 1,
            MemoryLimitBytes = 2,
            ImagesPerSecond = 0,
        };
}
