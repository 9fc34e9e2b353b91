using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging.Tests;

/// <summary>The life of a job in a host with a bus inside the process.</summary>
public sealed class JobWorkerTests : IDisposable
{
    private readonly CatalogFile _catalog = new();

    public void Dispose() => _catalog.Dispose();

    [Fact]
    public async Task A_job_is_done_committed_and_followed_by_the_next()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (lease, _) =>
            Task.FromResult(
                Script.Write(
                    (context, _) =>
                    {
                        context.EpochMetrics.Add(Epoch(run, lease.Job.Step + 1));
                        if (lease.Job.Step < 2)
                        {
                            context.PlanJobs(nameof(TrainHead), lease.Job.Scope, [lease.Job.Step + 1], run.TraceParent, DateTime.UtcNow);
                        }

                        return Task.CompletedTask;
                    }
                )
            );

        await host.SendAsync(job);

        await Wait.UntilAsync(() => host.Script.FollowUps.Count == 3, "three slices are done");
        Assert.Equal([0, 1, 2], host.Script.Executions.Select(lease => lease.Job.Step));
        Assert.Equal(3, await CountEpochsAsync(host, run));
    }

    [Fact]
    public async Task A_permanent_error_fails_the_run_at_once_with_its_message()
    {
        await using var host = await StartAsync(services => services.AddSingleton(new PermanentError(typeof(FormatException))));
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) => throw new FormatException("The archive has no class folders; give one folder a class.");

        await host.SendAsync(job);

        await Wait.UntilAsync(() => host.Messages.Published.Count > 0, "the failure is announced");
        Assert.Equal(
            [new RunFailed(run.Id, "test", "The archive has no class folders; give one folder a class.")],
            host.Messages.Published
        );
        var failed = await host.ReadAsync(run);
        Assert.Equal((RunState.Failed, "The archive has no class folders; give one folder a class."), (failed.State, failed.Failure));
        Assert.Single(host.Script.Executions);
        Assert.Equal(JobState.Failed, (await host.ReadAsync(job)).State);
    }

    [Fact]
    public async Task A_missing_file_that_no_job_makes_is_no_outage_and_fails_the_run_by_name()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        var directory = Directory.CreateTempSubdirectory("messaging-");
        var volume = Volume.Begin(directory.FullName);
        host.Script.Execute = async (_, token) =>
        {
            await volume.VerifyAsync(new StoredFile("missing-file", 1, new string('a', 64)), token);
            return JobWrite.Nothing;
        };

        await host.SendAsync(job);

        // It may have been replaced between the look into the catalog and the reading, so that it is tried again, and not for ever.
        await host.UntilAsync(run, RunState.Failed);
        Assert.Equal(new JobOptions().MaxAttempts, host.Script.Executions.Count);
        Assert.Contains("'missing-file' is missing", (await host.ReadAsync(run)).Failure);
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_worker_that_can_work_no_more_gives_its_job_back_uncharged_and_ends()
    {
        await using var host = await StartAsync(services => services.AddSingleton(new WorkerError(error => error is FormatException)));
        var exitCode = Environment.ExitCode;
        try
        {
            var (run, job) = await host.PlanTrainingAsync();
            host.Script.Execute = (_, _) => throw new FormatException("CUDA error: unspecified launch failure");

            await host.SendAsync(job);

            var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
            await Wait.UntilAsync(() => lifetime.ApplicationStopping.IsCancellationRequested, "the host is told to stop");
            await host.UntilAsync(job, JobState.Pending);
            await host.StopAsync();
            var left = await host.ReadAsync(job);
            Assert.Equal((0, JobState.Pending), (left.Attempts, left.State));
            Assert.Single(host.Script.Executions);
            Assert.Equal(RunState.Training, (await host.ReadAsync(run)).State);
            Assert.Equal("CUDA error: unspecified launch failure", host.Services.GetRequiredService<FailFast>().Reason);
            Assert.Equal(1, host.Services.GetRequiredService<FailFast>().ExitCode);
        }
        finally
        {
            Environment.ExitCode = exitCode;
        }
    }

    public static TheoryData<Exception> UnexpectedErrors =>
        [new InvalidOperationException("boom"), new TaskCanceledException("boom: the server did not answer")];

    [Theory]
    [MemberData(nameof(UnexpectedErrors), DisableDiscoveryEnumeration = true)]
    public async Task An_unexpected_error_is_tried_again_and_fails_the_run_in_the_end(Exception error)
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) => Task.FromException<JobWrite>(error);

        await host.SendAsync(job);

        await Wait.UntilAsync(() => host.Messages.Published.Count > 0, "the failure is announced");
        var failed = Assert.IsType<RunFailed>(Assert.Single(host.Messages.Published));
        Assert.Equal(run.Id, failed.RunId);
        Assert.Contains(error.Message, failed.Reason, StringComparison.Ordinal);
        Assert.Contains("5 times", failed.Reason, StringComparison.Ordinal);
        Assert.Equal(5, host.Script.Executions.Count);
        Assert.Equal(5, host.Script.Executions.Select(lease => lease.Token).Distinct().Count());
    }

    [Fact]
    public async Task An_unexpected_error_that_passes_costs_nothing_but_a_start()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) =>
            host.Script.Executions.Count < 3 ? throw new InvalidOperationException("boom") : Task.FromResult(JobWrite.Nothing);

        await host.SendAsync(job);

        await host.UntilAsync(job, JobState.Done);
        Assert.Equal(3, host.Script.Executions.Count);
    }

    public static TheoryData<Exception> Outages => [new SqliteException("database is locked", 5), new IOException("Stale file handle")];

    [Theory]
    [MemberData(nameof(Outages), DisableDiscoveryEnumeration = true)]
    public async Task An_outage_is_waited_for_in_place_and_counts_no_start(Exception outage)
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (_, _) => host.Script.Executions.Count < 3 ? throw outage : Task.FromResult(JobWrite.Nothing);

        await host.SendAsync(job);

        await host.UntilAsync(job, JobState.Done);
        Assert.Equal(3, host.Script.Executions.Count);
        Assert.Single(host.Script.Executions.Select(lease => lease.Token).Distinct());
        // No name is written twice, also where the outage came after the first of several files.
        Assert.Equal(3, host.Script.Executions.Select(lease => lease.TokenText).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(1, (await host.ReadAsync(job)).Attempts);
    }

    [Fact]
    public async Task An_outage_while_committing_is_waited_for_without_working_again()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        var commits = 0;
        host.Script.Execute = (_, _) =>
            Task.FromResult(
                Script.Write(
                    (context, _) =>
                    {
                        context.EpochMetrics.Add(Epoch(run, 1));
                        return ++commits < 3 ? throw new SqliteException("disk I/O error", 10) : Task.CompletedTask;
                    }
                )
            );

        await host.SendAsync(job);

        await host.UntilAsync(job, JobState.Done);
        Assert.Single(host.Script.Executions);
        Assert.Equal(1, await CountEpochsAsync(host, run));
    }

    [Fact]
    public async Task Cancelling_a_run_stops_its_work_which_writes_nothing()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        var stopped = new TaskCompletionSource();
        host.Script.Execute = async (_, token) =>
        {
            await using var registration = token.Register(stopped.SetResult);
            await stopped.Task;

            // Work that does not look at its token in time gets as far as its commit.
            return Script.Write(
                (context, _) =>
                {
                    context.EpochMetrics.Add(Epoch(run, 1));
                    return Task.CompletedTask;
                }
            );
        };
        await host.SendAsync(job);
        await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

        Assert.True(await host.Control.CancelAsync(run.Id, AuditActor.Loopback, CancellationToken.None));

        await stopped.Task.WaitAsync(Wait.Limit);
        host.Script.Execute = (_, _) => Task.FromResult(JobWrite.Nothing);
        await NextJobIsDoneAsync(host);
        Assert.Equal(0, await CountEpochsAsync(host, run));
        Assert.DoesNotContain(job, host.Script.FollowUps);

        // Nobody holds it any more: another run that shares it could start it at once.
        var row = await host.ReadAsync(job);
        Assert.Equal((JobState.Pending, 0, null), (row.State, row.Attempts, row.LeaseUntil));
    }

    [Fact]
    public async Task The_event_of_a_runs_end_stops_its_work_before_the_next_heartbeat()
    {
        await using var host = await TestHost.StartAsync(
            _catalog.ConnectionString,
            consumers: set => TestHost.Training(set),
            configure: services => services.AddSingleton(new JobOptions { Heartbeat = TimeSpan.FromHours(1) })
        );
        var (run, job) = await host.PlanTrainingAsync();
        var stopped = new TaskCompletionSource();
        host.Script.Execute = async (_, token) =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, token);
                return JobWrite.Nothing;
            }
            finally
            {
                stopped.SetResult();
            }
        };
        await host.SendAsync(job);
        await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

        Assert.True(await host.Control.CancelAsync(run.Id, AuditActor.Loopback, CancellationToken.None));
        await host.Publisher.PublishAsync(CancellationToken.None);

        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task A_host_that_stops_lets_work_that_ends_early_be_committed_and_handed_on()
    {
        JobKey job;
        await using (var host = await StartAsync())
        {
            (var run, job) = await host.PlanTrainingAsync();
            host.Script.Grace = Wait.Limit;
            host.Script.Execute = async (_, token) =>
            {
                var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
                await Task.Delay(Timeout.Infinite, stopping)
                    .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                token.ThrowIfCancellationRequested();
                return Script.Write(
                    (context, _) =>
                    {
                        context.PlanJobs(job.Kind, job.Scope, [1], run.TraceParent, DateTime.UtcNow);
                        return Task.CompletedTask;
                    }
                );
            };
            await host.SendAsync(job);
            await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

            await host.StopAsync();

            Assert.True(await host.IsAsync(job, JobState.Done));
            var next = await host.ReadAsync(job with { Step = 1 });
            Assert.Equal((JobState.Pending, 0), (next.State, next.Attempts));
            Assert.NotNull(next.DispatchedAt);
            Assert.Equal(2, host.Messages.Sent.Count);
            Assert.Single(host.Script.Executions);
        }
    }

    [Fact]
    public async Task Work_that_does_not_end_in_its_grace_is_given_back()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        host.Script.Grace = TimeSpan.FromMilliseconds(100);
        host.Script.Execute = async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return JobWrite.Nothing;
        };
        await host.SendAsync(job);
        await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

        await host.StopAsync();

        var row = await host.ReadAsync(job);
        Assert.Equal((JobState.Pending, 0, null), (row.State, row.Attempts, row.LeaseUntil));
    }

    [Fact]
    public async Task Work_that_lost_its_job_stops_and_writes_nothing()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        var stopped = new TaskCompletionSource();
        host.Script.Execute = async (_, token) =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, token);
                return JobWrite.Nothing;
            }
            finally
            {
                stopped.SetResult();
            }
        };
        await host.SendAsync(job);
        await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

        var other = await host.Store.ClaimAsync(job, "other", redelivered: true, CancellationToken.None);

        await stopped.Task.WaitAsync(Wait.Limit);
        host.Script.Execute = (_, _) => Task.FromResult(JobWrite.Nothing);
        await NextJobIsDoneAsync(host);
        Assert.Equal(other.Lease!.Token, (await host.ReadAsync(job)).Attempt);
        Assert.True(await host.Store.CommitAsync(other.Lease, JobWrite.Nothing, CancellationToken.None));
    }

    [Fact]
    public async Task A_worker_that_learns_of_its_lost_job_and_of_the_brokers_hanging_up_at_once_ends_its_attempt()
    {
        using var brokerLeft = new CancellationTokenSource();
        await using var host = await StartAsync(services =>
            services.AddSingleton<ILoggerProvider>(new OnLine("was claimed by another worker", brokerLeft.Cancel))
        );
        var (_, job) = await host.PlanTrainingAsync();
        host.Script.Execute = async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return JobWrite.Nothing;
        };
        var worker = host.Services.GetRequiredService<JobWorker>();
        var work = worker.ProcessAsync(
            new TrainHead(job.Scope, job.Step),
            new JobDelivery(RunPriority.Interactive, IsRedelivered: false, SentAt: null),
            new ScriptedTraining(host.Script),
            brokerLeft.Token
        );
        await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");
        var lost = host.Script.Executions.Single();

        await host.Store.ClaimAsync(job, "other", redelivered: true, CancellationToken.None);
        await work.WaitAsync(Wait.Limit);

        await using var context = await host.Contexts.CreateDbContextAsync();
        Assert.Equal(
            AttemptOutcome.Lost,
            (await context.Attempts.AsNoTracking().SingleAsync(attempt => attempt.Token == lost.Token)).Outcome
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_host_that_stops_gives_its_job_back_uncounted_and_the_next_does_it(bool endsInError)
    {
        JobKey job;
        await using (var host = await StartAsync())
        {
            (_, job) = await host.PlanTrainingAsync();
            host.Script.Execute = async (_, token) =>
            {
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                catch (OperationCanceledException cancelled) when (endsInError)
                {
                    throw new IOException("The read was aborted.", cancelled);
                }

                return JobWrite.Nothing;
            };
            await host.SendAsync(job);
            await Wait.UntilAsync(() => !host.Script.Executions.IsEmpty, "work has begun");

            await host.StopAsync();

            var row = await host.ReadAsync(job);
            Assert.Equal((JobState.Pending, 0, null), (row.State, row.Attempts, row.LeaseUntil));
        }

        await using var next = await StartAsync();
        await next.Repair.ReclaimOrphansAsync(CancellationToken.None);
        await next.Watchdog.ScanAsync(CancellationToken.None);

        await next.UntilAsync(job, JobState.Done);
        Assert.Single(next.Script.Executions);
    }

    [Fact]
    public async Task A_duplicate_of_a_done_job_only_looks_what_follows()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await Wait.UntilAsync(() => host.Script.FollowUps.Count == 1, "the job is done");

        await host.SendDuplicateAsync(job);

        await Wait.UntilAsync(() => host.Script.FollowUps.Count == 2, "the duplicate is handled");
        Assert.Single(host.Script.Executions);
    }

    [Fact]
    public async Task A_message_that_names_nothing_is_dropped()
    {
        await using var host = await StartAsync();

        await host.Dispatcher.SendAsync(
            new Job
            {
                Kind = nameof(TrainHead),
                Scope = "nothing",
                Step = 3,
            },
            CancellationToken.None
        );

        await NextJobIsDoneAsync(host);
        Assert.DoesNotContain(host.Script.Executions, lease => lease.Job.Scope == "nothing");
    }

    [Fact]
    public async Task Duplicates_do_not_breed_messages()
    {
        const int shards = 100;
        await using var host = await TestHost.StartAsync(
            _catalog.ConnectionString,
            consumers: set => set.AddJobs<ScriptedExtraction, ExtractFeatures>()
        );
        var (run, _) = await host.PlanTrainingAsync();
        await using (var context = await host.Contexts.CreateDbContextAsync())
        {
            context.PlanJobs(nameof(ExtractFeatures), "set", Enumerable.Range(0, shards), null, DateTime.UtcNow);
            await context.DependAsync(run.Id, "set", CancellationToken.None);
            await context.SaveChangesAsync();
        }

        var first = new JobKey(nameof(ExtractFeatures), "set", 0);
        host.Script.Execute = async (lease, token) =>
        {
            if (lease.Job == first)
            {
                await host.SendDuplicateAsync(first);
            }

            return JobWrite.Nothing;
        };
        await host.SendAsync(first);

        await Wait.UntilAsync(() => host.Script.FollowUps.Distinct().Count() == shards, "all shards are done");
        Assert.Equal(shards, host.Script.Executions.Count);
        Assert.InRange(host.Messages.Sent.Count, shards + 1, shards + 1 + new JobOptions().Queued);
    }

    [Fact]
    public async Task What_follows_is_looked_for_again_when_looking_fails()
    {
        await using var host = await StartAsync();
        var (run, job) = await host.PlanTrainingAsync();
        host.Script.Execute = (lease, _) =>
            Task.FromResult(
                Script.Write(
                    (context, _) =>
                    {
                        if (lease.Job.Step == 0)
                        {
                            context.PlanJobs(nameof(TrainHead), lease.Job.Scope, [1], run.TraceParent, DateTime.UtcNow);
                        }

                        return Task.CompletedTask;
                    }
                )
            );
        host.Script.FollowUp = key =>
            host.Script.FollowUps.Count < 3
                ? throw new InvalidOperationException("boom")
                : Task.FromResult<IReadOnlyList<string>>([key.Scope]);

        await host.SendAsync(job);

        await host.UntilAsync(job with { Step = 1 }, JobState.Done);
        Assert.Equal([0, 1], host.Script.Executions.Select(lease => lease.Job.Step));
    }

    private Task<TestHost> StartAsync(Action<IServiceCollection>? configure = null) =>
        TestHost.StartAsync(_catalog.ConnectionString, consumers: set => TestHost.Training(set), configure: configure);

    /// <summary>The queue is worked on one by one: once a later job is done, all before it are handled.</summary>
    private static async Task NextJobIsDoneAsync(TestHost host)
    {
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.UntilAsync(job, JobState.Done);
    }

    private static EpochMetric Epoch(Run run, int epoch) =>
        new()
        {
            RunId = run.Id,
            Trial = 0,
            Epoch = epoch,
            TrainLoss = 1,
            TrainAccuracy = 0.5,
            LearningRate = 0.1,
        };

    private static async Task<int> CountEpochsAsync(TestHost host, Run run)
    {
        await using var context = await host.Contexts.CreateDbContextAsync();
        return await context.EpochMetrics.CountAsync(row => row.RunId == run.Id);
    }

    /// <summary>Does something when a line of the log comes by.</summary>
    private sealed class OnLine(string text, Action action) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (formatter(state, exception).Contains(text, StringComparison.Ordinal))
            {
                action();
            }
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
