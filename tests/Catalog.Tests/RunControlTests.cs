using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Catalog.Tests;

public sealed class SqliteRunControlTests(SqliteCatalog catalog) : RunControlTests(catalog), IClassFixture<SqliteCatalog>;

public sealed class PostgresRunControlTests(PostgresCatalog catalog) : RunControlTests(catalog), IClassFixture<PostgresCatalog>;

public abstract class RunControlTests(TestCatalog catalog)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private RunControl Control => new(catalog.Contexts, TimeProvider.System);

    [Theory]
    [InlineData(RunState.Ingesting)]
    [InlineData(RunState.Extracting)]
    [InlineData(RunState.Training)]
    [InlineData(RunState.Evaluating)]
    public async Task A_retried_run_goes_on_from_the_stage_in_which_it_ended(RunState stage)
    {
        var run = await catalog.SubmitAsync();
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            for (var state = RunState.Submitted; state < stage; state++)
            {
                Assert.True(await context.MoveRunAsync(run.Id, state, state + 1, DateTime.UtcNow, None));
            }
        }

        await catalog.Store.FailRunsAsync(JobKey.ScopeOf(run.Id), new JobFailure(FailureCause.Internal, "broken"), None);

        Assert.Equal(RetryOutcome.Reopened, await Control.RetryAsync(run.Id, AuditActor.Loopback, None));

        var row = await catalog.ReadAsync(run);
        Assert.Equal((stage, null, null, null), (row.State, row.Failure, row.FinishedAt, row.EndPublishedAt));
        Assert.Equal(RetryOutcome.Open, await Control.RetryAsync(run.Id, AuditActor.Loopback, None));
    }

    [Fact]
    public async Task Retrying_makes_jobs_that_were_given_up_startable_afresh_and_leaves_what_is_done()
    {
        var run = await catalog.SubmitAsync(RunState.Extracting);
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 3, run);
        JobKey Shard(int step) => new(nameof(ExtractFeatures), set, step);
        await catalog.FinishAsync(Shard(0));
        for (var start = 0; start < catalog.Options.MaxAttempts; start++)
        {
            await catalog.StartAsync(Shard(1), redelivered: true);
        }

        Assert.Equal(ClaimOutcome.Poisoned, (await catalog.Store.ClaimAsync(Shard(1), "worker", redelivered: true, None)).Outcome);

        Assert.Equal(RetryOutcome.Reopened, await Control.RetryAsync(run.Id, AuditActor.Loopback, None));

        Assert.Equal(JobState.Done, (await catalog.ReadAsync(Shard(0))).State);
        var failed = await catalog.ReadAsync(Shard(1));
        Assert.Equal((JobState.Pending, 0, null), (failed.State, failed.Attempts, failed.DispatchedAt));
        Assert.Equal([1, 2], (await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None)).Select(job => job.Step));
        await catalog.FinishAsync(Shard(1));
        await catalog.FinishAsync(Shard(2));
        await catalog.Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);
        Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
    }

    [Fact]
    public async Task A_cancelled_run_whose_messages_were_dropped_is_sent_anew_when_it_is_retried()
    {
        var run = await catalog.SubmitAsync();
        var scope = JobKey.ScopeOf(run.Id);
        Assert.Single(await catalog.Outbox.ClaimForDispatchAsync(scope, again: false, None));
        Assert.True(await catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None));

        Assert.Equal(RetryOutcome.Reopened, await Control.RetryAsync(run.Id, AuditActor.Loopback, None));

        Assert.Single(await catalog.Outbox.ClaimForDispatchAsync(scope, again: false, None));
        Assert.Equal(RunState.Submitted, (await catalog.ReadAsync(run)).State);
    }

    [Fact]
    public async Task Only_a_run_that_failed_or_was_cancelled_after_it_was_begun_can_be_retried()
    {
        var completed = await catalog.SubmitAsync(RunState.Completed);
        var refused = TestCatalog.NewRun();
        refused.State = RunState.Failed;
        await catalog.Register.SubmitAsync(refused, AuditActor.Loopback, None);

        Assert.Equal(RetryOutcome.Completed, await Control.RetryAsync(completed.Id, AuditActor.Loopback, None));
        Assert.Equal(RetryOutcome.Refused, await Control.RetryAsync(refused.Id, AuditActor.Loopback, None));
        Assert.Equal(RetryOutcome.Unknown, await Control.RetryAsync(Guid.NewGuid(), AuditActor.Loopback, None));
        Assert.Equal(RunState.Failed, (await catalog.ReadAsync(refused)).State);
    }

    [Fact]
    public async Task Of_many_that_retry_a_run_one_opens_it()
    {
        var run = await catalog.SubmitAsync();
        await catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None);

        var outcomes = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => Control.RetryAsync(run.Id, AuditActor.Loopback, None)))
        );

        Assert.Single(outcomes, RetryOutcome.Reopened);
        Assert.Equal(7, outcomes.Count(outcome => outcome == RetryOutcome.Open));
    }

    [Fact]
    public async Task A_deleted_run_leaves_what_it_shares_and_nothing_else()
    {
        var (deleted, other) = (await catalog.SubmitAsync(RunState.Extracting), await catalog.SubmitAsync(RunState.Extracting));
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 1, deleted, other);
        Assert.Equal(DeleteOutcome.Open, await Control.DeleteAsync(deleted.Id, AuditActor.Loopback, None));
        await catalog.Control.CancelAsync(deleted.Id, AuditActor.Loopback, None);
        Assert.Equal(DeleteOutcome.EndUnpublished, await Control.DeleteAsync(deleted.Id, AuditActor.Loopback, None));
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        await context
            .Runs.Where(run => run.Id == deleted.Id)
            .ExecuteUpdateAsync(run => run.SetProperty(r => r.EndPublishedAt, DateTime.UtcNow));

        Assert.Equal(DeleteOutcome.Deleted, await Control.DeleteAsync(deleted.Id, AuditActor.Loopback, None));

        Assert.Equal(DeleteOutcome.Unknown, await Control.DeleteAsync(deleted.Id, AuditActor.Loopback, None));
        Assert.False(await context.Runs.AnyAsync(run => run.Id == deleted.Id));
        Assert.False(await context.RunDependencies.AnyAsync(dependency => dependency.RunId == deleted.Id));
        Assert.Empty(await catalog.StepsAsync(nameof(IngestDataset), JobKey.ScopeOf(deleted.Id)));
        Assert.Equal([0], await catalog.StepsAsync(nameof(ExtractFeatures), set));
        Assert.Equal([0], await catalog.StepsAsync(nameof(IngestDataset), JobKey.ScopeOf(other.Id)));
    }

    [Fact]
    public async Task A_run_that_reaches_its_time_limit_fails_and_says_limit_and_stage()
    {
        var late = await SubmitAsync("""{"timeLimit":5}""", DateTime.UtcNow.AddSeconds(-1));
        var (inTime, unlimited) = (
            await SubmitAsync("""{"timeLimit":500}""", DateTime.UtcNow.AddMinutes(5)),
            await SubmitAsync("{}", deadline: null)
        );

        await Control.FailOverdueAsync(None);

        var row = await catalog.ReadAsync(late);
        Assert.Equal((RunState.Failed, FailureCause.TimeLimit), (row.State, row.FailureCause));
        Assert.Contains("time limit of 5 s was reached while the run was training", row.Failure, StringComparison.Ordinal);
        Assert.Equal(
            (RunState.Training, RunState.Training),
            ((await catalog.ReadAsync(inTime)).State, (await catalog.ReadAsync(unlimited)).State)
        );
    }

    [Fact]
    public async Task A_retried_run_has_its_time_limit_anew()
    {
        var run = await SubmitAsync("""{"timeLimit":60}""", DateTime.UtcNow.AddSeconds(-1));
        await Control.FailOverdueAsync(None);
        var tomorrow = new FakeTimeProvider(DateTimeOffset.UtcNow.AddDays(1));

        Assert.Equal(RetryOutcome.Reopened, await new RunControl(catalog.Contexts, tomorrow).RetryAsync(run.Id, AuditActor.Loopback, None));

        Assert.InRange(((await catalog.ReadAsync(run)).Deadline!.Value - DateTime.UtcNow).TotalSeconds, 50, 60);
        await Control.FailOverdueAsync(None);
        Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_time_limit_is_measured_by_the_databases_clock_whatever_the_hosts_shows(int days)
    {
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Tags = [],
            Specification = """{"timeLimit":60}""",
            SubmittedAt = DateTime.UtcNow,
            TimeLimit = 60,
        };

        await new RunRegister(catalog.Contexts, new FakeTimeProvider(DateTimeOffset.UtcNow.AddDays(days))).SubmitAsync(
            run,
            AuditActor.Loopback,
            None
        );

        Assert.InRange(((await catalog.ReadAsync(run)).Deadline!.Value - DateTime.UtcNow).TotalSeconds, 50, 60);
    }

    [Fact]
    public async Task What_an_interactive_run_needs_is_interactive()
    {
        var (bulk, interactive) = (await SubmitAsync("{}", null, RunPriority.Bulk), await SubmitAsync("{}", null));
        var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, bulk);
        Assert.All(
            await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None),
            job => Assert.Equal(RunPriority.Bulk, job.Priority)
        );

        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            await context.DependAsync(interactive.Id, set, None);
            await context.SaveChangesAsync();
        }

        // What waited behind other bulk work is sent anew, before it.
        var sent = await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None);
        Assert.Equal([0, 1], sent.Select(job => job.Step));
        Assert.All(sent, job => Assert.Equal(RunPriority.Interactive, job.Priority));
        var another = await SubmitAsync("{}", null, RunPriority.Bulk);
        await using (var context = await catalog.Contexts.CreateDbContextAsync())
        {
            await context.DependAsync(another.Id, set, None);
            await context.SaveChangesAsync();
        }

        Assert.Empty(await catalog.Outbox.ClaimForDispatchAsync(set, again: false, None));
    }

    private async Task<Run> SubmitAsync(string specification, DateTime? deadline, RunPriority priority = RunPriority.Interactive)
    {
        var run = new Run
        {
            Id = Guid.NewGuid(),
            Tags = [],
            Specification = specification,
            SubmittedAt = DateTime.UtcNow,
            Deadline = deadline,
            Priority = priority,
        };
        await catalog.Register.SubmitAsync(run, AuditActor.Loopback, None);
        await using var context = await catalog.Contexts.CreateDbContextAsync();
        Assert.True(await context.MoveRunAsync(run.Id, RunState.Submitted, RunState.Training, DateTime.UtcNow, None));
        return run;
    }
}
