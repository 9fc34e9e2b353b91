using System.Data.Common;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Distributed.Catalog.Tests;

public sealed class SqliteJobStoreTests(SqliteCatalog catalog) : JobStoreTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresJobStoreTests(PostgresCatalog catalog) : JobStoreTests(catalog), IClassFixture<PostgresCatalog>;

public abstract class JobStoreTests(TestCatalog catalog)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private JobStore Store => catalog.Store;

    private JobOutbox Outbox => catalog.Outbox;

    private JobRepair Repair => catalog.Repair;

    [Fact]
    public async Task Of_many_starters_one_wins_and_the_others_find_it_held()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());

        var starts = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(worker => Task.Run(() => Store.ClaimAsync(job, $"worker {worker}", redelivered: false, None)))
        );

        Assert.Single(starts, start => start.Outcome == ClaimOutcome.Claimed);
        Assert.Equal(15, starts.Count(start => start.Outcome == ClaimOutcome.Held));
        Assert.Equal(1, (await catalog.ReadAsync(job)).Attempts);
    }

    [Fact]
    public async Task Of_many_that_take_a_lapsed_job_over_one_wins()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        await catalog.StartAsync(job);
        await catalog.LapseAsync(job);

        var starts = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(worker => Task.Run(() => Store.ClaimAsync(job, $"worker {worker}", redelivered: false, None)))
        );

        Assert.Single(starts, start => start.Outcome == ClaimOutcome.Claimed);
    }

    [Fact]
    public async Task A_job_that_is_held_is_taken_over_when_its_message_was_redelivered()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        var old = await catalog.StartAsync(job);

        Assert.Equal(ClaimOutcome.Held, (await Store.ClaimAsync(job, "other", redelivered: false, None)).Outcome);
        var taken = await catalog.StartAsync(job, redelivered: true);

        Assert.NotEqual(old.Token, taken.Token);
        Assert.Equal(taken.Token, (await catalog.ReadAsync(job)).Attempt);
    }

    [Fact]
    public async Task Who_lost_a_job_can_neither_extend_nor_commit_nor_give_it_back()
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        var old = await catalog.StartAsync(job);
        await catalog.LapseAsync(job);
        var taken = await catalog.StartAsync(job);

        Assert.False(await Store.ExtendAsync(old, None));
        Assert.False(await Store.CommitAsync(old, Write(TestCatalog.Epoch(run, 1)), None));
        Assert.False(await Store.FailAsync(old, new JobFailure(FailureCause.Input, "mine"), None));
        await Store.ReleaseAsync(old, None);
        await Store.RetryAsync(old, "mine", None);

        var row = await catalog.ReadAsync(job);
        Assert.Equal((JobState.Running, taken.Token, null), (row.State, row.Attempt, row.LastError));
        Assert.Equal(0, await catalog.CountEpochsAsync(run));
        Assert.Equal(RunState.Submitted, (await catalog.ReadAsync(run)).State);
        Assert.True(await Store.ExtendAsync(taken, None));
        Assert.True(await Store.CommitAsync(taken, Write(TestCatalog.Epoch(run, 2)), None));
        Assert.Equal(1, await catalog.CountEpochsAsync(run));
    }

    [Fact]
    public async Task A_sign_of_life_renews_a_lease()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        var lease = await catalog.StartAsync(job);
        await catalog.LapseAsync(job);

        Assert.True(await Store.ExtendAsync(lease, None));

        Assert.Equal(ClaimOutcome.Held, (await Store.ClaimAsync(job, "other", redelivered: false, None)).Outcome);
        var left = (await catalog.ReadAsync(job)).LeaseUntil!.Value - DateTime.UtcNow;
        Assert.InRange(left.TotalSeconds, catalog.Options.Lease.TotalSeconds - 10, catalog.Options.Lease.TotalSeconds + 1);
    }

    [Fact]
    public async Task Clocks_of_hosts_do_not_decide_about_leases()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        var late = new JobStore(
            new JobsContextFactory<CatalogContext>(catalog.Contexts),
            catalog.Options,
            new FakeTimeProvider(DateTimeOffset.UtcNow.AddYears(1))
        );
        await catalog.StartAsync(job);

        Assert.Equal(ClaimOutcome.Held, (await late.ClaimAsync(job, "late", redelivered: false, None)).Outcome);
    }

    [Fact]
    public async Task What_was_written_before_the_clock_was_set_back_by_an_hour_holds_for_a_lease_more()
    {
        var (held, sent) = (
            await catalog.PlanTrainingAsync(await catalog.SubmitAsync()),
            await catalog.PlanTrainingAsync(await catalog.SubmitAsync())
        );
        await catalog.StartAsync(held);
        await catalog.SetTimesAsync(held, DateTime.UtcNow.AddHours(1));
        await catalog.SetTimesAsync(sent, DateTime.UtcNow.AddHours(1));

        await Repair.ClampFutureTimestampsAsync(None);

        var lease = catalog.Options.Lease;
        Assert.InRange(
            (await catalog.ReadAsync(held)).LeaseUntil!.Value - DateTime.UtcNow,
            lease - TimeSpan.FromSeconds(10),
            lease + TimeSpan.FromSeconds(1)
        );
        Assert.InRange(
            (await catalog.ReadAsync(sent)).DispatchedAt!.Value - DateTime.UtcNow,
            TimeSpan.FromSeconds(-10),
            TimeSpan.FromSeconds(1)
        );
    }

    [Fact]
    public async Task Times_that_do_not_lie_ahead_are_left_alone()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        await catalog.StartAsync(job);
        await catalog.SetTimesAsync(job, DateTime.UtcNow.AddSeconds(5));
        var before = await catalog.ReadAsync(job);

        await Repair.ClampFutureTimestampsAsync(None);

        var after = await catalog.ReadAsync(job);
        Assert.Equal((before.LeaseUntil, before.DispatchedAt), (after.LeaseUntil, after.DispatchedAt));
    }

    [Fact]
    public async Task A_commit_marks_the_job_done_and_writes_what_was_found()
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        var lease = await catalog.StartAsync(job);

        Assert.True(await Store.CommitAsync(lease, Write(TestCatalog.Epoch(run)), None));

        Assert.Equal(JobState.Done, (await catalog.ReadAsync(job)).State);
        Assert.Equal(1, await catalog.CountEpochsAsync(run));
        Assert.Equal(ClaimOutcome.Done, (await Store.ClaimAsync(job, "other", redelivered: true, None)).Outcome);
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        var attempt = await context.Attempts.AsNoTracking().SingleAsync(row => row.Token == lease.Token);
        Assert.Equal((AttemptOutcome.Done, "worker"), (attempt.Outcome, attempt.Worker));
        Assert.NotNull(attempt.EndedAt);
    }

    [Fact]
    public async Task A_worker_that_noted_an_outage_and_then_died_is_a_lost_worker()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        var died = await catalog.StartAsync(job);
        await Store.NoteAsync(died, "the volume is away", None);
        Assert.False(await Store.HasLostWorkerAsync(died, None));
        await catalog.LapseAsync(job);

        Assert.True(await Store.HasLostWorkerAsync(await catalog.StartAsync(job), None));
    }

    [Fact]
    public async Task Workers_that_told_how_they_ended_are_not_lost()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        await Store.ReleaseAsync(await catalog.StartAsync(job), None);
        await Store.RetryAsync(await catalog.StartAsync(job), "an error", None);
        var late = await catalog.StartAsync(job);
        await catalog.LapseAsync(job);
        var lease = await catalog.StartAsync(job);
        await Store.ReleaseAsync(late, None);

        Assert.False(await Store.HasLostWorkerAsync(lease, None));
    }

    [Fact]
    public async Task A_write_that_fails_leaves_the_job_running_and_nothing_written()
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        var lease = await catalog.StartAsync(job);

        await Assert.ThrowsAsync<FormatException>(() =>
            Store.CommitAsync(
                lease,
                async (context, token) =>
                {
                    context.EpochMetrics.Add(TestCatalog.Epoch(run));
                    await context.SaveChangesAsync(token);
                    throw new FormatException("half way");
                },
                None
            )
        );

        Assert.Equal(JobState.Running, (await catalog.ReadAsync(job)).State);
        Assert.Equal(0, await catalog.CountEpochsAsync(run));
        Assert.True(await Store.CommitAsync(lease, Write(TestCatalog.Epoch(run)), None));
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_is_told_as_committed_and_not_written_again()
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        var lease = await catalog.StartAsync(job);
        var disturbed = new JobStore(
            new JobsContextFactory<CatalogContext>(catalog.With(new AnswerLost())),
            catalog.Options,
            TimeProvider.System
        );
        await Assert.ThrowsAsync<NpgsqlException>(() => disturbed.CommitAsync(lease, Write(TestCatalog.Epoch(run)), None));
        var writes = 0;

        Assert.True(
            await Store.CommitAsync(
                lease,
                (_, _) =>
                {
                    writes++;
                    return Task.CompletedTask;
                },
                None
            )
        );

        Assert.Equal(0, writes);
        Assert.Equal(1, await catalog.CountEpochsAsync(run));
    }

    [Fact]
    public async Task A_job_that_was_released_starts_again_and_the_start_does_not_count()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());

        for (var i = 0; i < catalog.Options.MaxAttempts * 2; i++)
        {
            await Store.ReleaseAsync(await catalog.StartAsync(job), None);
        }

        var row = await catalog.ReadAsync(job);
        Assert.Equal((JobState.Pending, 0, null, null), (row.State, row.Attempts, row.LeaseUntil, row.DispatchedAt));
    }

    [Fact]
    public async Task A_job_that_was_abandoned_too_often_is_poisoned_and_fails_its_runs_with_the_last_error()
    {
        var runs = new[] { await catalog.SubmitAsync(), await catalog.SubmitAsync() };
        var job = new JobKey(nameof(ExtractFeatures), await catalog.PlanAsync(nameof(ExtractFeatures), 1, runs), 0);
        for (var i = 1; i <= catalog.Options.MaxAttempts; i++)
        {
            await Store.RetryAsync(await catalog.StartAsync(job), $"error {i}", None);
            Assert.Equal(i, (await catalog.ReadAsync(job)).Attempts);
        }

        var start = await Store.ClaimAsync(job, "worker", redelivered: false, None);

        Assert.Equal(ClaimOutcome.Poisoned, start.Outcome);
        Assert.Equal(JobState.Failed, (await catalog.ReadAsync(job)).State);
        foreach (var run in runs)
        {
            var failed = await catalog.ReadAsync(run);
            Assert.Equal(RunState.Failed, failed.State);
            Assert.Contains($"error {catalog.Options.MaxAttempts}", failed.Failure, StringComparison.Ordinal);
            Assert.Equal(FailureCause.Attempts, failed.FailureCause);
            Assert.NotNull(failed.FinishedAt);
        }

        Assert.Equal(ClaimOutcome.Closed, (await Store.ClaimAsync(job, "worker", redelivered: true, None)).Outcome);
    }

    [Fact]
    public async Task A_job_that_kills_its_workers_is_poisoned_without_an_error_to_tell()
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        for (var i = 0; i < catalog.Options.MaxAttempts; i++)
        {
            await catalog.StartAsync(job, redelivered: i > 0);
        }

        Assert.Equal(ClaimOutcome.Held, (await Store.ClaimAsync(job, "worker", redelivered: false, None)).Outcome);
        Assert.Equal(ClaimOutcome.Poisoned, (await Store.ClaimAsync(job, "worker", redelivered: true, None)).Outcome);

        Assert.Contains("memory", (await catalog.ReadAsync(run)).Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_many_that_find_a_job_poisoned_one_gives_it_up()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        for (var i = 0; i < catalog.Options.MaxAttempts; i++)
        {
            await Store.RetryAsync(await catalog.StartAsync(job), "error", None);
        }

        var starts = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => Store.ClaimAsync(job, "worker", redelivered: false, None)))
        );

        Assert.Single(starts, start => start.Outcome == ClaimOutcome.Poisoned);
        Assert.Equal(7, starts.Count(start => start.Outcome == ClaimOutcome.Closed));
    }

    [Fact]
    public async Task Giving_up_fails_the_open_runs_that_need_the_job_and_no_others()
    {
        var needing = await catalog.SubmitAsync();
        var over = await catalog.SubmitAsync();
        var other = await catalog.SubmitAsync();
        var job = new JobKey(nameof(PackImages), await catalog.PlanAsync(nameof(PackImages), 1, needing, over), 0);
        var lease = await catalog.StartAsync(job);
        Assert.True(await catalog.Control.CancelAsync(over.Id, AuditActor.Loopback, None));

        Assert.True(await Store.FailAsync(lease, new JobFailure(FailureCause.Input, "The archive is damaged."), None));

        var failed = await catalog.ReadAsync(needing);
        Assert.Equal((RunState.Failed, FailureCause.Input, "The archive is damaged."), (failed.State, failed.FailureCause, failed.Failure));
        Assert.Equal(RunState.Cancelled, (await catalog.ReadAsync(over)).State);
        Assert.Equal(RunState.Submitted, (await catalog.ReadAsync(other)).State);
        Assert.Equal(JobState.Failed, (await catalog.ReadAsync(job)).State);
    }

    [Fact]
    public async Task A_run_that_needs_a_job_that_was_given_up_makes_it_startable_afresh()
    {
        var first = await catalog.SubmitAsync();
        var job = new JobKey(nameof(DownloadFile), await catalog.PlanAsync(nameof(DownloadFile), 1, first), 0);
        Assert.True(await Store.FailAsync(await catalog.StartAsync(job), new JobFailure(FailureCause.Input, "HTTP 404"), None));
        var second = await catalog.SubmitAsync();
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            await context.DependAsync(second.Id, job.Scope, None);
            await context.SaveChangesAsync();
        }

        Assert.Equal([0], (await Outbox.ClaimForDispatchAsync(job.Scope, again: false, None)).Select(row => row.Step));
        await catalog.FinishAsync(job);
        Assert.Equal(1, (await catalog.ReadAsync(job)).Attempts);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_is_started_extended_or_committed_for_a_run_that_is_over(bool isHeld)
    {
        var run = await catalog.SubmitAsync();
        var job = await catalog.PlanTrainingAsync(run);
        var lease = isHeld ? await catalog.StartAsync(job) : null;
        Assert.True(await catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None));

        if (lease is not null)
        {
            Assert.False(await Store.ExtendAsync(lease, None));
            Assert.False(await Store.CommitAsync(lease, Write(TestCatalog.Epoch(run)), None));
        }

        Assert.Equal(0, await catalog.CountEpochsAsync(run));
        Assert.Equal(ClaimOutcome.Closed, (await Store.ClaimAsync(job, "worker", redelivered: true, None)).Outcome);
        Assert.Empty(await Outbox.ClaimForDispatchAsync(job.Scope, again: true, None));
    }

    [Fact]
    public async Task A_shard_that_two_runs_share_outlives_the_cancelling_of_one()
    {
        var first = await catalog.SubmitAsync();
        var second = await catalog.SubmitAsync();
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), 2, first, second);
        var held = await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, 0));

        Assert.True(await catalog.Control.CancelAsync(first.Id, AuditActor.Loopback, None));

        Assert.True(await Store.ExtendAsync(held, None));
        Assert.True(await Store.CommitAsync(held, (_, _) => Task.CompletedTask, None));
        var next = await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, 1));
        Assert.True(await catalog.Control.CancelAsync(second.Id, AuditActor.Loopback, None));
        Assert.False(await Store.ExtendAsync(next, None));
    }

    [Fact]
    public async Task A_job_that_nobody_planned_is_unknown() =>
        Assert.Equal(
            ClaimOutcome.Unknown,
            (await Store.ClaimAsync(new JobKey(nameof(TrainHead), "nothing", 0), "worker", redelivered: false, None)).Outcome
        );

    [Fact]
    public async Task Only_so_many_jobs_of_a_scope_wait_in_a_queue_and_more_follow_when_half_are_gone()
    {
        var most = catalog.Options.Queued;
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), 2 * most, await catalog.SubmitAsync());

        Assert.Equal(Enumerable.Range(0, most), (await Outbox.ClaimForDispatchAsync(scope, again: false, None)).Select(row => row.Step));
        Assert.Empty(await Outbox.ClaimForDispatchAsync(scope, again: false, None));

        for (var step = 0; step < (most / 2) - 1; step++)
        {
            await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, step));
            Assert.Empty(await Outbox.ClaimForDispatchAsync(scope, again: false, None));
        }

        // Whether what was begun is done changes nothing.
        var lease = await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, (most / 2) - 1));
        await Store.CommitAsync(lease, (_, _) => Task.CompletedTask, None);
        Assert.Equal(
            Enumerable.Range(most, most / 2),
            (await Outbox.ClaimForDispatchAsync(scope, again: false, None)).Select(row => row.Step)
        );
    }

    [Fact]
    public async Task As_many_jobs_wait_as_workers_have_begun_where_those_are_more()
    {
        var most = catalog.Options.Queued;
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), 4 * most, await catalog.SubmitAsync());
        for (var step = 0; step < most + 3; step++)
        {
            await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, step));
        }

        Assert.Equal(
            Enumerable.Range(most + 3, most + 3),
            (await Outbox.ClaimForDispatchAsync(scope, again: false, None)).Select(row => row.Step)
        );
    }

    [Fact]
    public async Task Jobs_that_wait_in_a_queue_are_sent_again_only_on_request()
    {
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), 3, await catalog.SubmitAsync());
        await Outbox.ClaimForDispatchAsync(scope, again: false, None);
        await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, 0));

        Assert.Empty(await Outbox.ClaimForDispatchAsync(scope, again: false, None));
        Assert.Equal([1, 2], (await Outbox.ClaimForDispatchAsync(scope, again: true, None)).Select(row => row.Step));
    }

    [Fact]
    public async Task Many_senders_together_send_no_job_twice()
    {
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), catalog.Options.Queued, await catalog.SubmitAsync());

        var taken = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => Outbox.ClaimForDispatchAsync(scope, again: false, None)))
        );

        Assert.Equal(Enumerable.Range(0, catalog.Options.Queued), taken.SelectMany(jobs => jobs).Select(row => row.Step).Order());
    }

    [Fact]
    public async Task A_message_is_lost_only_where_its_job_still_waits_and_was_not_just_sent()
    {
        var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());
        var read = await catalog.ReadAsync(job);

        Assert.True(await Outbox.ClaimLostAsync(read, None));
        Assert.False(await Outbox.ClaimLostAsync(read, None));

        var lease = await catalog.StartAsync(job);
        Assert.False(await Outbox.ClaimLostAsync(read, None));
        await catalog.LapseAsync(job);
        await Store.ReleaseAsync(await catalog.StartAsync(job), None);
        var waiting = await catalog.ReadAsync(job);
        await catalog.FinishAsync(job);

        Assert.False(await Outbox.ClaimLostAsync(waiting, None));
        Assert.False(await Store.CommitAsync(lease, Write(TestCatalog.Epoch(await catalog.SubmitAsync())), None));
    }

    private static Func<CatalogContext, CancellationToken, Task> Write(EpochMetric epoch) =>
        (context, _) =>
        {
            context.EpochMetrics.Add(epoch);
            return Task.CompletedTask;
        };

    /// <summary>The commit arrives, its answer does not.</summary>
    private sealed class AnswerLost : DbTransactionInterceptor
    {
        public override Task TransactionCommittedAsync(
            DbTransaction transaction,
            TransactionEndEventData eventData,
            CancellationToken cancellationToken = default
        ) => throw new NpgsqlException("The connection broke.");
    }
}

public sealed class SqliteReclaimTests(SqliteCatalog catalog) : IClassFixture<SqliteCatalog>
{
    [Fact]
    public async Task A_process_that_starts_anew_takes_over_what_it_held_and_had_sent()
    {
        var run = await catalog.SubmitAsync();
        var scope = await catalog.PlanAsync(nameof(ExtractFeatures), 3, run);
        await catalog.Outbox.ClaimForDispatchAsync(scope, again: false, CancellationToken.None);
        var done = new JobKey(nameof(ExtractFeatures), scope, 0);
        await catalog.FinishAsync(done);
        var old = await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), scope, 1));

        await catalog.Repair.ReclaimOrphansAsync(CancellationToken.None);

        Assert.Equal(JobState.Done, (await catalog.ReadAsync(done)).State);
        Assert.Equal(
            [1, 2],
            (await catalog.Outbox.ClaimForDispatchAsync(scope, again: false, CancellationToken.None)).Select(row => row.Step)
        );
        var taken = await catalog.StartAsync(old.Job);
        Assert.False(await catalog.Store.CommitAsync(old, (_, _) => Task.CompletedTask, CancellationToken.None));
        Assert.True(await catalog.Store.ExtendAsync(taken, CancellationToken.None));

        // A process that dies of a job again and again must not do so for ever.
        Assert.Equal(2, (await catalog.ReadAsync(old.Job)).Attempts);
    }
}
