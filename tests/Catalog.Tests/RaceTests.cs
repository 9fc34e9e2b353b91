using System.Data.Common;
using System.Globalization;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Distributed.Catalog.Tests;

/// <summary>
/// The rules under races, on a real Postgres with a connection for each racer. <c>DISTRIBUTED_TEST_RACES</c> says how often each
/// is run; 1,000 is the number that the rules are held to.
/// </summary>
public sealed class RaceTests(PostgresCatalog catalog) : IClassFixture<PostgresCatalog>
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly int Races = int.Parse(
        Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_RACES") ?? "100",
        CultureInfo.InvariantCulture
    );

    [Fact]
    public Task Of_two_hosts_that_start_the_same_job_one_wins() =>
        RaceAsync(async () =>
        {
            var job = await catalog.PlanTrainingAsync(await catalog.SubmitAsync());

            var starts = await TogetherAsync(2, host => catalog.Store.ClaimAsync(job, $"host {host}", redelivered: false, None));

            Assert.Equal([ClaimOutcome.Claimed, ClaimOutcome.Held], starts.Select(start => start.Outcome).Order());
            Assert.Equal(1, (await catalog.ReadAsync(job)).Attempts);
        });

    [Fact]
    public Task Of_two_hosts_that_take_a_lapsed_job_over_one_wins_and_the_late_one_commits_nothing() =>
        RaceAsync(async () =>
        {
            var run = await catalog.SubmitAsync();
            var job = await catalog.PlanTrainingAsync(run);
            var late = await catalog.StartAsync(job);
            await catalog.LapseAsync(job);

            var outcomes = await TogetherAsync(
                3,
                async host =>
                    host == 2
                        ? await catalog.Store.CommitAsync(late, Write(run, 1), None)
                        : (await catalog.Store.ClaimAsync(job, $"host {host}", redelivered: false, None)).Lease is { } lease
                            && await catalog.Store.CommitAsync(lease, Write(run, 2), None)
            );

            Assert.Single(outcomes, true);
            Assert.Equal(JobState.Done, (await catalog.ReadAsync(job)).State);
            Assert.Equal(1, await catalog.CountEpochsAsync(run));
        });

    [Fact]
    public Task Two_last_shards_that_end_together_move_every_run_on_once() =>
        RaceAsync(async () =>
        {
            Run[] runs = [await catalog.SubmitAsync(RunState.Extracting), await catalog.SubmitAsync(RunState.Extracting)];
            var set = await catalog.PlanAsync(nameof(ExtractFeatures), 2, runs);
            JobLease[] leases =
            [
                await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), set, 0)),
                await catalog.StartAsync(new JobKey(nameof(ExtractFeatures), set, 1)),
            ];

            await TogetherAsync(
                2,
                async shard =>
                {
                    Assert.True(await catalog.Store.CommitAsync(leases[shard], (_, _) => Task.CompletedTask, None));
                    return await catalog.Runs.ScheduleNextAsync(new JobKey(nameof(ExtractFeatures), set, 0), None);
                }
            );

            foreach (var run in runs)
            {
                Assert.Equal(RunState.Training, (await catalog.ReadAsync(run)).State);
                Assert.Equal([0], await catalog.StepsAsync(nameof(TrainHead), JobKey.ScopeOf(run.Id, 0)));
            }
        });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task A_connection_that_dies_around_a_commit_leaves_the_job_written_once(bool isCommitted) =>
        RaceAsync(async () =>
        {
            var run = await catalog.SubmitAsync();
            var job = await catalog.PlanTrainingAsync(run);
            var lease = await catalog.StartAsync(job);
            var store = new JobStore(
                new JobsContextFactory<CatalogContext>(catalog.With(new DyingCommit(catalog.ConnectionString, isCommitted))),
                catalog.Options,
                TimeProvider.System
            );

            var outcome = await Record.ExceptionAsync(() => store.CommitAsync(lease, Write(run, 1), None));

            Assert.True(CatalogOutage.Is(outcome!), $"{outcome}");
            Assert.Equal(isCommitted ? JobState.Done : JobState.Running, (await catalog.ReadAsync(job)).State);
            Assert.True(await catalog.Store.CommitAsync(lease, Write(run, 1), None));
            Assert.Equal(JobState.Done, (await catalog.ReadAsync(job)).State);
            Assert.Equal(1, await catalog.CountEpochsAsync(run));
        });

    [Fact]
    public Task A_run_cancelled_while_its_job_commits_is_either_cancelled_or_moved_on() =>
        RaceAsync(async () =>
        {
            var run = await catalog.SubmitAsync(RunState.Training);
            var lease = await catalog.StartAsync(await catalog.PlanTrainingAsync(run));

            var outcomes = await TogetherAsync(
                2,
                racer =>
                    racer == 0
                        ? catalog.Control.CancelAsync(run.Id, AuditActor.Loopback, None)
                        : catalog.Store.CommitAsync(
                            lease,
                            async (context, token) =>
                            {
                                if (await context.MoveRunAsync(run.Id, RunState.Training, RunState.Completed, DateTime.UtcNow, token))
                                {
                                    context.EpochMetrics.Add(TestCatalog.Epoch(run));
                                }
                            },
                            None
                        )
            );

            Assert.Contains(true, outcomes);
            var ended = await catalog.ReadAsync(run);
            Assert.Equal(outcomes[0] ? RunState.Cancelled : RunState.Completed, ended.State);
            Assert.Equal(outcomes[0] ? 0 : 1, await catalog.CountEpochsAsync(run));
        });

    [Fact]
    public Task A_submission_that_was_committed_and_not_sent_is_sent_once_by_watchdogs_that_look_together() =>
        RaceAsync(async () =>
        {
            // The API died between accepting and publishing; two watchdogs find the run, as does its sender's repetition.
            var run = TestCatalog.NewRun(key: Guid.NewGuid().ToString());
            Assert.Equal(SubmitOutcome.Created, (await catalog.Register.SubmitAsync(run, AuditActor.Loopback, None)).Outcome);
            var scope = JobKey.ScopeOf(run.Id);

            var taken = await TogetherAsync(
                3,
                async racer =>
                {
                    if (racer == 2)
                    {
                        var (outcome, known, _) = await catalog.Register.SubmitAsync(
                            TestCatalog.NewRun(key: run.IdempotencyKey),
                            AuditActor.Loopback,
                            None
                        );
                        Assert.Equal((SubmitOutcome.Repeated, run.Id), (outcome, known.Id));
                    }

                    return await catalog.Outbox.ClaimForDispatchAsync(scope, again: false, None);
                }
            );

            Assert.Single(taken.SelectMany(jobs => jobs));
            var starts = await TogetherAsync(
                2,
                host => catalog.Store.ClaimAsync(new JobKey(nameof(IngestDataset), scope, 0), $"host {host}", redelivered: true, None)
            );
            Assert.Contains(starts, start => start.Outcome == ClaimOutcome.Claimed);
            var committed = 0;
            foreach (var start in starts.Where(start => start.Lease is not null))
            {
                committed += await catalog.Store.CommitAsync(start.Lease!, (_, _) => Task.CompletedTask, None) ? 1 : 0;
            }

            Assert.Equal(1, committed);
        });

    private static Func<CatalogContext, CancellationToken, Task> Write(Run run, int epoch) =>
        (context, _) =>
        {
            context.EpochMetrics.Add(TestCatalog.Epoch(run, epoch));
            return Task.CompletedTask;
        };

    private static async Task RaceAsync(Func<Task> race)
    {
        for (var count = 0; count < Races; count++)
        {
            await race();
        }
    }

    /// <summary>Lets racers begin at the same moment.</summary>
    private static async Task<T[]> TogetherAsync<T>(int racers, Func<int, Task<T>> racer)
    {
        using var barrier = new Barrier(racers);
        return await Task.WhenAll(
            Enumerable
                .Range(0, racers)
                .Select(index =>
                    Task.Factory.StartNew(
                            () =>
                            {
                                barrier.SignalAndWait();
                                return racer(index);
                            },
                            CancellationToken.None,
                            TaskCreationOptions.LongRunning,
                            TaskScheduler.Default
                        )
                        .Unwrap()
                )
        );
    }

    /// <summary>Kills the session just before or just after its commit, so that the answer never comes.</summary>
    private sealed class DyingCommit(string connectionString, bool isCommitted) : DbTransactionInterceptor
    {
        public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction,
            TransactionEventData eventData,
            InterceptionResult result,
            CancellationToken cancellationToken = default
        )
        {
            var session = (NpgsqlConnection)transaction.Connection!;
            var process = session.ProcessID;
            if (isCommitted)
            {
                await transaction.CommitAsync(cancellationToken);
            }

            await KillAsync(process);
            // The driver learns of it as it would of a broken network: at its next word.
            await using var probe = session.CreateCommand();
            probe.CommandText = "select 1";
            await probe.ExecuteScalarAsync(cancellationToken);
            return result;
        }

        private async Task KillAsync(int process)
        {
            await using var connection = new NpgsqlConnection(connectionString);
            await connection.OpenAsync();
            await using var kill = connection.CreateCommand();
            kill.CommandText = $"select pg_terminate_backend({process.ToString(CultureInfo.InvariantCulture)}, 5000)";
            Assert.Equal(true, await kill.ExecuteScalarAsync());
        }
    }
}
