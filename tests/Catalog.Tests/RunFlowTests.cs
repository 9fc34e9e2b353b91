using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog.Tests;

public sealed class SqliteRunFlowTests(SqliteCatalog catalog) : RunFlowTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresRunFlowTests(PostgresCatalog catalog) : RunFlowTests(catalog), IClassFixture<PostgresCatalog>;

public abstract class RunFlowTests(TestCatalog catalog)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private IJobFlow Runs => catalog.Runs;

    [Fact]
    public async Task A_submitted_run_waits_for_its_ingestion_to_be_sent()
    {
        var run = TestCatalog.NewRun();

        var (outcome, _, _) = await catalog.Register.SubmitAsync(run, AuditActor.Loopback, None);

        Assert.Equal(SubmitOutcome.Created, outcome);
        var job = Assert.Single(await catalog.Outbox.ClaimForDispatchAsync(JobKey.ScopeOf(run.Id), again: false, None));
        Assert.Equal((nameof(IngestDataset), 0, run.TraceParent), (job.Kind, job.Step, job.TraceParent));
    }

    [Fact]
    public async Task A_run_that_was_refused_is_kept_and_nothing_is_planned_for_it()
    {
        var run = TestCatalog.NewRun();
        run.State = RunState.Failed;

        await catalog.Register.SubmitAsync(run, AuditActor.Loopback, None);

        Assert.Equal(RunState.Failed, (await catalog.ReadAsync(run)).State);
        Assert.Empty(await catalog.StepsAsync(nameof(IngestDataset), JobKey.ScopeOf(run.Id)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_same_submission_gives_the_same_run_and_another_one_is_a_conflict(bool byKey)
    {
        var first = TestCatalog.NewRun(key: Guid.NewGuid().ToString());
        await catalog.Register.SubmitAsync(first, AuditActor.Loopback, None);
        Run Again(string specification) =>
            byKey
                ? TestCatalog.NewRun(key: first.IdempotencyKey, specification: specification)
                : TestCatalog.NewRun(id: first.Id, specification: specification);

        var (same, sameRun, _) = await catalog.Register.SubmitAsync(Again("{}"), AuditActor.Loopback, None);
        var (other, otherRun, _) = await catalog.Register.SubmitAsync(Again("""{"seed":1}"""), AuditActor.Loopback, None);

        Assert.Equal((SubmitOutcome.Repeated, first.Id), (same, sameRun.Id));
        Assert.Equal((SubmitOutcome.Conflict, first.Id), (other, otherRun.Id));
        Assert.Equal("{}", (await catalog.ReadAsync(first)).Specification);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_the_same_submission_made_often_at_once_one_creates_the_run(bool byKey)
    {
        for (var race = 0; race < catalog.Races / 5; race++)
        {
            var (id, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());

            var results = await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(_ =>
                        Task.Run(() =>
                            catalog.Register.SubmitAsync(
                                byKey ? TestCatalog.NewRun(key: key) : TestCatalog.NewRun(id: id),
                                AuditActor.Loopback,
                                None
                            )
                        )
                    )
            );

            Assert.Single(results, result => result.Outcome == SubmitOutcome.Created);
            Assert.Equal(7, results.Count(result => result.Outcome == SubmitOutcome.Repeated));
            var scope = JobKey.ScopeOf(Assert.Single(results.Select(result => result.Run.Id).Distinct()));
            Assert.Equal([0], await catalog.StepsAsync(nameof(IngestDataset), scope));
        }
    }

    [Fact]
    public async Task A_run_moves_only_from_the_state_it_is_in_and_notes_when()
    {
        var run = await catalog.SubmitAsync();
        await using var context = await catalog.Contexts.CreateDbContextAsync();

        Assert.False(await context.MoveRunAsync(run.Id, RunState.Training, RunState.Evaluating, DateTime.UtcNow, None));
        Assert.True(await context.MoveRunAsync(run.Id, RunState.Submitted, RunState.Ingesting, DateTime.UtcNow, None));
        Assert.False(await context.MoveRunAsync(run.Id, RunState.Submitted, RunState.Ingesting, DateTime.UtcNow, None));

        var moved = await catalog.ReadAsync(run);
        Assert.Equal(RunState.Ingesting, moved.State);
        Assert.NotNull(moved.IngestingAt);
        Assert.Null(moved.ExtractingAt);
        Assert.Null(moved.FinishedAt);
    }

    [Fact]
    public async Task Only_an_open_run_can_be_cancelled()
    {
        var run = await catalog.SubmitAsync(RunState.Training);

        Assert.True(await catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None));
        Assert.False(await catalog.Control.CancelAsync(run.Id, AuditActor.Message, None));
        Assert.False(await catalog.Control.CancelAsync(Guid.NewGuid(), AuditActor.Loopback, None));

        var cancelled = await catalog.ReadAsync(run);
        Assert.Equal(RunState.Cancelled, cancelled.State);
        Assert.NotNull(cancelled.FinishedAt);
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        Assert.False(await context.MoveRunAsync(run.Id, RunState.Training, RunState.Evaluating, DateTime.UtcNow, None));
    }

    [Fact]
    public async Task The_last_two_shards_ending_together_plan_one_training()
    {
        for (var race = 0; race < catalog.Races; race++)
        {
            var run = await catalog.SubmitAsync(RunState.Extracting);
            var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, run);
            var leases = await Task.WhenAll(
                Enumerable.Range(0, 2).Select(step => catalog.StartAsync(new JobKey(nameof(ExtractFeatures), set, step)))
            );

            await Task.WhenAll(
                leases.Select(lease =>
                    Task.Run(async () =>
                    {
                        Assert.True(await catalog.Store.CommitAsync(lease, (_, _) => Task.CompletedTask, None));
                        await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);
                    })
                )
            );

            Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
            Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0)));
        }
    }

    [Fact]
    public async Task A_run_that_joins_while_the_last_shard_ends_is_moved_on_once()
    {
        for (var race = 0; race < catalog.Races; race++)
        {
            var first = await catalog.SubmitAsync(RunState.Extracting);
            var set = await catalog.PlanAsync(nameof(ExtractFeatures), 1, first);
            var joining = await catalog.SubmitAsync(RunState.Extracting);
            var plan = new JobKey(nameof(PlanFeatures), JobKey.ScopeOf(joining.Id), 0);
            await using (var context = await catalog.Contexts.CreateDbContextAsync())
            {
                context.PlanJobs(plan.Kind, plan.Scope, [0], null, DateTime.UtcNow);
                await context.SaveChangesAsync();
            }

            var shard = await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), set, 0));
            var planning = await catalog.StartAsync(plan);

            await Task.WhenAll(
                Task.Run(async () =>
                {
                    Assert.True(await catalog.Store.CommitAsync(shard, (_, _) => Task.CompletedTask, None));
                    await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);
                }),
                Task.Run(async () =>
                {
                    Assert.True(
                        await catalog.Store.CommitAsync(
                            planning,
                            (context, token) => TestCatalog.JoinAsync(context, joining, set, token),
                            None
                        )
                    );
                    await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);
                })
            );

            foreach (var run in (Run[])[first, joining])
            {
                Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
                Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0)));
            }
        }
    }

    [Fact]
    public async Task A_run_that_joins_a_finished_feature_set_goes_on_at_once()
    {
        var first = await catalog.SubmitAsync(RunState.Extracting);
        var key = await catalog.PlanAsync(nameof(ExtractFeatures), 1, first);
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            context.FeatureSets.Add(TestCatalog.NewFeatureSet(key, 1));
            await context.SaveChangesAsync();
        }

        await catalog.FinishAsync(new JobKey(nameof(ExtractFeatures), key, 0));
        await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), key, 0), None);
        var second = await catalog.SubmitAsync(RunState.Extracting);
        await DependAsync(second, key);

        var scopes = await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), key, 0), None);

        Assert.Contains(JobKey.ScopeOf(second.Id, 0), scopes);
        Assert.Equal(RunState.Training, (await catalog.ReadAsync(second)).State);
        Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(second.Id, 0)));
    }

    [Fact]
    public async Task A_run_waits_until_every_shard_is_done()
    {
        var run = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, run);
        await catalog.FinishAsync(new JobKey(nameof(ExtractFeatures), set, 1));

        // The scope itself comes back: its next shards may be sent now.
        Assert.Equal([set], await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None));

        Assert.Equal(RunState.Extracting, (await catalog.ReadAsync(run)).State);
    }

    [Fact]
    public async Task A_training_whose_message_may_be_lost_is_told_again_but_not_planned_again()
    {
        var run = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 1, run);
        await catalog.FinishAsync(new JobKey(nameof(ExtractFeatures), set, 0));
        await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);

        var scopes = await Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);

        Assert.Contains(JobKey.ScopeOf(run.Id, 0), scopes);
        Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0)));
    }

    [Fact]
    public async Task A_run_whose_last_shard_was_committed_by_a_worker_that_died_is_found_and_moved_on()
    {
        var run = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, run);
        await catalog.FinishAsync(new JobKey(nameof(ExtractFeatures), set, 0));
        await Runs.ReconcileAsync(None);
        Assert.Equal(RunState.Extracting, (await catalog.ReadAsync(run)).State);

        await catalog.FinishAsync(new JobKey(nameof(ExtractFeatures), set, 1));
        var scopes = await Runs.ReconcileAsync(None);

        Assert.Contains(JobKey.ScopeOf(run.Id, 0), scopes);
        Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
        Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0)));
    }

    [Fact]
    public async Task The_last_two_parts_ending_together_plan_one_completion()
    {
        for (var race = 0; race < catalog.Races; race++)
        {
            var run = await catalog.SubmitAsync(RunState.Ingesting);
            var ingestion = await catalog.PlanAsync(nameof(PackImages), 2, run);
            var leases = await Task.WhenAll(
                Enumerable.Range(0, 2).Select(step => catalog.StartAsync(new JobKey(nameof(PackImages), ingestion, step)))
            );

            await Task.WhenAll(
                leases.Select(lease =>
                    Task.Run(async () =>
                    {
                        Assert.True(await catalog.Store.CommitAsync(lease, (_, _) => Task.CompletedTask, None));
                        await Runs.ScheduleNextAsync(new JobKey(nameof(PackImages), ingestion, 0), None);
                    })
                )
            );

            Assert.Equal([0], await catalog.StepsAsync(nameof(CompleteDataset), ingestion));
        }
    }

    [Fact]
    public async Task No_completion_is_planned_before_the_last_part_is_packed()
    {
        var ingestion = await catalog.PlanAsync(nameof(PackImages), 2, await catalog.SubmitAsync(RunState.Ingesting));
        await catalog.FinishAsync(new JobKey(nameof(PackImages), ingestion, 0));

        await Runs.ScheduleNextAsync(new JobKey(nameof(PackImages), ingestion, 0), None);
        Assert.Empty(await catalog.StepsAsync(nameof(CompleteDataset), ingestion));

        await catalog.FinishAsync(new JobKey(nameof(PackImages), ingestion, 1));
        await Runs.ScheduleNextAsync(new JobKey(nameof(PackImages), ingestion, 0), None);
        Assert.Equal([0], await catalog.StepsAsync(nameof(CompleteDataset), ingestion));
    }

    [Fact]
    public async Task A_complete_data_set_moves_all_runs_that_wait_for_it()
    {
        var waiting = await catalog.SubmitAsync(RunState.Ingesting);
        var cancelled = await catalog.SubmitAsync(RunState.Ingesting);
        var key = await catalog.PlanAsync(nameof(CompleteDataset), 1, waiting, cancelled);
        await catalog.Control.CancelAsync(cancelled.Id, AuditActor.Loopback, None);
        await AddIngestionAsync(key, dataset: null);

        Assert.Equal([key], await Runs.ScheduleNextAsync(new JobKey(nameof(CompleteDataset), key, 0), None));
        await CompleteIngestionAsync(key, "the-dataset");
        await catalog.FinishAsync(new JobKey(nameof(CompleteDataset), key, 0));
        var scopes = await Runs.ScheduleNextAsync(new JobKey(nameof(CompleteDataset), key, 0), None);

        Assert.Contains(JobKey.ScopeOf(waiting.Id), scopes);
        var moved = await catalog.ReadAsync(waiting);
        Assert.Equal((RunState.Extracting, "the-dataset"), (moved.State, moved.DatasetSha256));
        Assert.Equal([0], await catalog.StepsAsync(nameof(PlanFeatures), JobKey.ScopeOf(waiting.Id)));
        Assert.Equal(RunState.Cancelled, (await catalog.ReadAsync(cancelled)).State);
        Assert.Empty(await catalog.StepsAsync(nameof(PlanFeatures), JobKey.ScopeOf(cancelled.Id)));
    }

    [Fact]
    public async Task Failing_a_scope_fails_the_open_runs_that_need_it_and_no_others()
    {
        var needing = await catalog.SubmitAsync(RunState.Extracting);
        var completed = await catalog.SubmitAsync(RunState.Completed);
        var other = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 1, needing, completed);

        await catalog.Store.FailRunsAsync(set, new JobFailure(FailureCause.Internal, "No such file."), None);

        var failed = await catalog.ReadAsync(needing);
        Assert.Equal((RunState.Failed, "No such file."), (failed.State, failed.Failure));
        Assert.NotNull(failed.FinishedAt);
        Assert.Equal(
            (RunState.Completed, null),
            ((await catalog.ReadAsync(completed)).State, (await catalog.ReadAsync(completed)).Failure)
        );
        Assert.Equal(RunState.Extracting, (await catalog.ReadAsync(other)).State);
    }

    [Fact]
    public async Task Two_downloads_that_end_together_plan_one_new_look_at_what_is_missing()
    {
        for (var race = 0; race < catalog.Races; race++)
        {
            var (run, downloads) = await WaitForDownloadsAsync(count: 2);
            await Task.WhenAll(
                downloads.Select(download =>
                    Task.Run(async () =>
                    {
                        await CompleteDownloadAsync(download);
                        await catalog.FinishAsync(new JobKey(nameof(DownloadFile), download, 0));
                        await Runs.ScheduleNextAsync(new JobKey(nameof(DownloadFile), download, 0), None);
                    })
                )
            );

            Assert.Equal([0, 1], await catalog.StepsAsync(nameof(IngestDataset), JobKey.ScopeOf(run.Id)));
        }
    }

    [Fact]
    public async Task A_download_that_is_not_complete_moves_nothing()
    {
        var (run, downloads) = await WaitForDownloadsAsync(count: 1);

        await Runs.ScheduleNextAsync(new JobKey(nameof(DownloadFile), downloads[0], 0), None);

        Assert.Equal([0], await catalog.StepsAsync(nameof(IngestDataset), JobKey.ScopeOf(run.Id)));
    }

    [Fact]
    public async Task Planners_of_the_same_feature_set_share_it()
    {
        for (var race = 0; race < catalog.Races / 5; race++)
        {
            var key = $"set-{Guid.NewGuid():N}";
            var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => catalog.SubmitAsync(RunState.Extracting)));
            var leases = new List<(Run Run, JobLease Lease)>();
            foreach (var run in runs)
            {
                leases.Add((run, await catalog.StartAsync(await catalog.PlanTrainingAsync(run))));
            }

            var committed = await Task.WhenAll(
                leases.Select(planner =>
                    Task.Run(() =>
                        catalog.Store.CommitAsync(
                            planner.Lease,
                            async (context, token) =>
                            {
                                if (!await context.FeatureSets.AnyAsync(set => set.Key == key, token))
                                {
                                    context.FeatureSets.Add(TestCatalog.NewFeatureSet(key, 3));
                                    context.PlanJobs(
                                        nameof(ExtractFeatures),
                                        key,
                                        Enumerable.Range(0, 3),
                                        traceParent: null,
                                        DateTime.UtcNow
                                    );
                                }

                                await TestCatalog.JoinAsync(context, planner.Run, key, token);
                            },
                            None
                        )
                    )
                )
            );

            Assert.All(committed, Assert.True);
            Assert.Equal([0, 1, 2], await catalog.StepsAsync(nameof(ExtractFeatures), key));
            await using var context = await catalog.Contexts.CreateDbContextAsync();
            Assert.Equal(4, await context.RunDependencies.CountAsync(dependency => dependency.Scope == key));
        }
    }

    [Fact]
    public async Task What_was_sent_for_a_run_that_is_over_is_sent_anew_for_the_next_that_needs_it()
    {
        var first = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, first);
        Assert.Equal(2, (await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None)).Count);
        await catalog.Control.CancelAsync(first.Id, AuditActor.Loopback, None);
        var second = await catalog.SubmitAsync(RunState.Extracting);

        await DependAsync(second, set);

        Assert.Equal(2, (await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None)).Count);
    }

    private async Task DependAsync(Run run, string scope)
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        await TestCatalog.JoinAsync(context, run, scope, None);
        await context.SaveChangesAsync();
    }

    private async Task AddIngestionAsync(string key, string? dataset)
    {
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        context.Ingestions.Add(
            new Ingestion
            {
                Key = key,
                Source = "/data",
                SquareSize = 96,
                CropShare = 1,
                Resampling = ResampleFilter.Bicubic,
                Fit = FitMode.Crop,
                Decoding = JpegDecoding.Scaled,
                FileIndex = new Storage.StoredFile("index.json", 1, "l"),
                EntryCount = 1,
                PartSize = 1,
                PartCount = 1,
                DatasetSha256 = dataset,
                CreatedAt = DateTime.UtcNow,
            }
        );
        await context.SaveChangesAsync();
    }

    private async Task CompleteIngestionAsync(string key, string dataset)
    {
        var now = DateTime.UtcNow;
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        await context
            .Ingestions.Where(row => row.Key == key)
            .ExecuteUpdateAsync(row => row.SetProperty(i => i.DatasetSha256, dataset).SetProperty(i => i.CompletedAt, now));
    }

    /// <summary>A run whose first look at its data found that files must be fetched.</summary>
    private async Task<(Run Run, string[] Downloads)> WaitForDownloadsAsync(int count)
    {
        var run = await catalog.SubmitAsync(RunState.Ingesting);
        await catalog.FinishAsync(new JobKey(nameof(IngestDataset), JobKey.ScopeOf(run.Id), 0));
        var downloads = new string[count];
        for (var i = 0; i < count; i++)
        {
            downloads[i] = await catalog.PlanAsync(nameof(DownloadFile), 1, run);
            await using var context = await catalog.Contexts.CreateDbContextAsync();
            context.Downloads.Add(
                new Download
                {
                    Key = downloads[i],
                    Url = "https://example.org/a",
                    Path = "downloads/a",
                }
            );
            await context.SaveChangesAsync();
        }

        return (run, downloads);
    }

    private async Task CompleteDownloadAsync(string key)
    {
        var now = DateTime.UtcNow;
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        Assert.Equal(
            1,
            await context.Downloads.Where(row => row.Key == key).ExecuteUpdateAsync(row => row.SetProperty(d => d.CompletedAt, now))
        );
    }
}
