using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Messaging.Tests;

/// <summary>A host that works on nothing: what is sent stays sent.</summary>
public sealed class WatchdogTests : IDisposable
{
    private readonly CatalogFile _catalog = new();
    private readonly Queues _queues = new();

    public void Dispose() => _catalog.Dispose();

    [Fact]
    public async Task A_job_that_was_never_sent_is_sent_once()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();

        await host.Watchdog.ScanAsync(CancellationToken.None);
        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal([new TrainHead(job.Scope, 0)], host.Messages.Sent);
    }

    [Fact]
    public async Task A_job_whose_holder_shows_no_life_is_sent_again_whatever_waits_in_the_queue()
    {
        _queues.AreEmpty = false;
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.Store.ClaimAsync(job, "worker", redelivered: false, CancellationToken.None);

        await host.Watchdog.ScanAsync(CancellationToken.None);
        Assert.Single(host.Messages.Sent);

        await host.AgeAsync(job);
        await host.Watchdog.ScanAsync(CancellationToken.None);
        await host.Watchdog.ScanAsync(CancellationToken.None);
        Assert.Equal(2, host.Messages.Sent.Count);
    }

    [Fact]
    public async Task A_message_that_was_lost_before_the_clock_was_set_back_does_not_wait_until_the_clock_is_there_again()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.AgeAsync(job, TimeSpan.FromHours(-1));

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Single(host.Messages.Sent);
        Assert.True((await host.ReadAsync(job)).DispatchedAt < DateTime.UtcNow);
    }

    [Fact]
    public async Task A_job_whose_holder_lives_is_left_alone_however_long_ago_it_was_sent()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.AgeAsync(job);
        await host.Store.ClaimAsync(job, "worker", redelivered: false, CancellationToken.None);

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Single(host.Messages.Sent);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task A_job_that_nobody_started_is_sent_again_when_its_queue_is_empty(bool isEmpty, int messages)
    {
        _queues.AreEmpty = isEmpty;
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.Watchdog.ScanAsync(CancellationToken.None);
        Assert.Single(host.Messages.Sent);
        await host.AgeAsync(job);

        await host.Watchdog.ScanAsync(CancellationToken.None);
        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal(messages, host.Messages.Sent.Count);
        Assert.Equal(["train-head", "train-head-bulk"], _queues.Asked.Distinct());
    }

    [Fact]
    public async Task Nothing_is_sent_for_runs_that_are_over_and_for_a_job_that_is_done_only_what_follows()
    {
        await using var host = await StartAsync();
        var (over, unsent) = await host.PlanTrainingAsync();
        await host.Control.CancelAsync(over.Id, AuditActor.Loopback, CancellationToken.None);
        var (alsoOver, held) = await host.PlanTrainingAsync();
        await host.Outbox.ClaimForDispatchAsync(held.Scope, again: false, CancellationToken.None);
        await host.Store.ClaimAsync(held, "worker", redelivered: false, CancellationToken.None);
        await host.Control.CancelAsync(alsoOver.Id, AuditActor.Loopback, CancellationToken.None);
        var (_, done) = await host.PlanTrainingAsync();
        await host.Outbox.ClaimForDispatchAsync(done.Scope, again: false, CancellationToken.None);
        var start = await host.Store.ClaimAsync(done, "worker", redelivered: false, CancellationToken.None);
        await host.Store.CommitAsync(start.Lease!, JobWrite.Nothing, CancellationToken.None);
        foreach (var job in (JobKey[])[unsent, held, done])
        {
            await host.AgeAsync(job);
        }

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal([new EvaluateHead(done.Scope, 0)], host.Messages.Sent);
    }

    [Fact]
    public async Task A_big_set_is_sent_no_further_than_may_wait()
    {
        await using var host = await StartAsync();
        var (run, _) = await host.PlanTrainingAsync();
        await using (var context = await host.Contexts.CreateDbContextAsync())
        {
            context.PlanJobs(nameof(ExtractFeatures), "set", Enumerable.Range(0, 40), null, DateTime.UtcNow);
            await context.DependAsync(run.Id, "set", CancellationToken.None);
            await context.SaveChangesAsync();
        }

        await host.Watchdog.ScanAsync(CancellationToken.None);
        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal(
            Enumerable.Range(0, new JobOptions().Queued),
            host.Messages.Sent.OfType<ExtractFeatures>().Select(message => message.Step)
        );
    }

    [Fact]
    public async Task Many_jobs_of_a_queue_that_is_not_empty_hide_nothing_lost_from_another()
    {
        _queues.Full.Add("extract-features");
        await using var host = await StartAsync();
        var (run, lost) = await host.PlanTrainingAsync();
        await host.SendAsync(lost);
        await using (var context = await host.Contexts.CreateDbContextAsync())
        {
            context.PlanJobs(nameof(ExtractFeatures), "set", Enumerable.Range(0, 250), null, DateTime.UtcNow);
            await context.DependAsync(run.Id, "set", CancellationToken.None);
            await context.SaveChangesAsync();
            var longAgo = DateTime.UtcNow.AddHours(-2);
            await context.Jobs.Where(row => row.Scope == "set").ExecuteUpdateAsync(row => row.SetProperty(r => r.DispatchedAt, longAgo));
        }

        await host.AgeAsync(lost);
        var before = host.Messages.Sent.Count;

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Equal([new TrainHead(lost.Scope, 0)], host.Messages.Sent.Skip(before));
    }

    [Fact]
    public async Task Lost_jobs_of_both_priorities_are_sent_again_to_their_own_queues()
    {
        _queues.Full.Add("train-head-bulk");
        await using var host = await StartAsync();
        var (_, interactive) = await host.PlanTrainingAsync();
        var (_, bulk) = await host.PlanTrainingAsync(priority: RunPriority.Bulk);
        foreach (var job in (JobKey[])[interactive, bulk])
        {
            await host.SendAsync(job);
            await host.AgeAsync(job);
        }

        await host.Watchdog.ScanAsync(CancellationToken.None);
        Assert.Equal([new TrainHead(interactive.Scope, 0)], host.Messages.Sent.Skip(2));

        _queues.Full.Clear();
        await host.Watchdog.ScanAsync(CancellationToken.None);
        Assert.Equal([new TrainHead(bulk.Scope, 0)], host.Messages.Sent.Skip(3));
    }

    [Fact]
    public async Task A_job_that_runs_though_it_counts_as_unsent_is_sent_again_when_its_lease_lapses()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        var sent = await host.Outbox.ClaimForDispatchAsync(job.Scope, again: false, CancellationToken.None);
        // The broker has taken the message, and the sender has not heard so.
        await host.Outbox.ReturnUndispatchedAsync(sent, CancellationToken.None);
        await host.Store.ClaimAsync(job, "worker", redelivered: false, CancellationToken.None);
        await host.AgeAsync(job);

        await host.Watchdog.ScanAsync(CancellationToken.None);

        Assert.Single(host.Messages.Sent);
    }

    [Fact]
    public async Task A_look_that_hangs_is_given_up_and_the_next_one_sends()
    {
        _queues.Hanging = 2;
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        await host.SendAsync(job);
        await host.AgeAsync(job);
        var time = new FakeTimeProvider();
        using var watchdog = ActivatorUtilities.CreateInstance<Watchdog>(host.Services, time);

        await watchdog.StartAsync(CancellationToken.None);

        await Wait.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(5));
                return host.Messages.Sent.Count == 2;
            },
            "the watchdog has sent"
        );
        await watchdog.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_broker_that_takes_no_message_is_away_and_the_message_counts_as_unsent()
    {
        await using var host = await StartAsync();
        var (_, job) = await host.PlanTrainingAsync();
        var time = new FakeTimeProvider();
        var transport = ActivatorUtilities.CreateInstance<BusTransport>(host.Services, time);
        var dispatcher = ActivatorUtilities.CreateInstance<JobDispatcher>(host.Services, transport);
        host.Messages.Sending = new TaskCompletionSource().Task;

        var sending = Record.ExceptionAsync(() => dispatcher.SendAsync([job.Scope], again: false, CancellationToken.None));
        await Wait.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return sending.IsCompleted;
            },
            "the sender has given up"
        );

        Assert.Contains("has not accepted a message", Assert.IsType<ConnectionException>(await sending).Message, StringComparison.Ordinal);
        Assert.Null((await host.ReadAsync(job)).DispatchedAt);
        host.Messages.Sending = Task.CompletedTask;
        await host.SendAsync(job);
        Assert.NotNull((await host.ReadAsync(job)).DispatchedAt);
    }

    private Task<TestHost> StartAsync() =>
        TestHost.StartAsync(_catalog.ConnectionString, configure: services => services.AddSingleton<IQueueInspector>(_queues));

    private sealed class Queues : IQueueInspector
    {
        public bool AreEmpty { get; set; } = true;

        /// <summary>Queues with messages, also where the others are empty.</summary>
        public HashSet<string> Full { get; } = [];

        /// <summary>Looks that are never answered.</summary>
        public int Hanging { get; set; }

        public List<string> Asked { get; } = [];

        public Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
            IReadOnlyCollection<string> queues,
            CancellationToken cancellationToken
        )
        {
            if (Hanging-- > 0)
            {
                return new TaskCompletionSource<IReadOnlyDictionary<string, QueueStatistics>>().Task;
            }

            Asked.AddRange(queues);
            return Task.FromResult<IReadOnlyDictionary<string, QueueStatistics>>(
                queues.ToDictionary(queue => queue, queue => new QueueStatistics(AreEmpty && !Full.Contains(queue) ? 0 : 1, 1))
            );
        }
    }
}
