using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Messaging.Tests;

/// <summary>A host that works on nothing: what is sent stays sent.</summary>
public sealed class WatchdogTests : IDisposable
{
    private readonly CatalogFile _catalog = new();
    private readonly Queues _queues = new();

    public void Dispose() => _catalog.Dispose();

    [Fact]
    public async Task A_unit_that_was_never_sent_is_sent_once()
    {
        await using var host = await StartAsync();
        var (_, unit) = await host.PlanTrainingAsync();

        await host.Watchdog.LookAsync(CancellationToken.None);
        await host.Watchdog.LookAsync(CancellationToken.None);

        Assert.Equal([new TrainHead(unit.Subject, 0)], host.Messages.Sent);
    }

    [Fact]
    public async Task A_unit_whose_holder_shows_no_life_is_sent_again_whatever_waits_in_the_queue()
    {
        _queues.AreEmpty = false;
        await using var host = await StartAsync();
        var (_, unit) = await host.PlanTrainingAsync();
        await host.SendAsync(unit);
        await host.Ledger.StartAsync(unit, "worker", redelivered: false, CancellationToken.None);

        await host.Watchdog.LookAsync(CancellationToken.None);
        Assert.Single(host.Messages.Sent);

        await host.AgeAsync(unit);
        await host.Watchdog.LookAsync(CancellationToken.None);
        await host.Watchdog.LookAsync(CancellationToken.None);
        Assert.Equal(2, host.Messages.Sent.Count);
    }

    [Fact]
    public async Task A_unit_whose_holder_lives_is_left_alone_however_long_ago_it_was_sent()
    {
        await using var host = await StartAsync();
        var (_, unit) = await host.PlanTrainingAsync();
        await host.SendAsync(unit);
        await host.AgeAsync(unit);
        await host.Ledger.StartAsync(unit, "worker", redelivered: false, CancellationToken.None);

        await host.Watchdog.LookAsync(CancellationToken.None);

        Assert.Single(host.Messages.Sent);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task A_unit_that_nobody_started_is_sent_again_when_its_queue_is_empty(bool isEmpty, int messages)
    {
        _queues.AreEmpty = isEmpty;
        await using var host = await StartAsync();
        var (_, unit) = await host.PlanTrainingAsync();
        await host.SendAsync(unit);
        await host.Watchdog.LookAsync(CancellationToken.None);
        Assert.Single(host.Messages.Sent);
        await host.AgeAsync(unit);

        await host.Watchdog.LookAsync(CancellationToken.None);
        await host.Watchdog.LookAsync(CancellationToken.None);

        Assert.Equal(messages, host.Messages.Sent.Count);
        Assert.Equal(["train-head"], _queues.Asked.Distinct());
    }

    [Fact]
    public async Task Nothing_is_sent_for_runs_that_are_over_or_units_that_are_done()
    {
        await using var host = await StartAsync();
        var (over, unsent) = await host.PlanTrainingAsync();
        await host.Runs.CancelAsync(over.Id, AuditActor.Loopback, CancellationToken.None);
        var (alsoOver, held) = await host.PlanTrainingAsync();
        await host.Ledger.TakeToSendAsync(held.Subject, again: false, CancellationToken.None);
        await host.Ledger.StartAsync(held, "worker", redelivered: false, CancellationToken.None);
        await host.Runs.CancelAsync(alsoOver.Id, AuditActor.Loopback, CancellationToken.None);
        var (_, done) = await host.PlanTrainingAsync();
        await host.Ledger.TakeToSendAsync(done.Subject, again: false, CancellationToken.None);
        var start = await host.Ledger.StartAsync(done, "worker", redelivered: false, CancellationToken.None);
        await host.Ledger.CommitAsync(start.Lease!, (_, _) => Task.CompletedTask, CancellationToken.None);
        foreach (var unit in (UnitKey[])[unsent, held, done])
        {
            await host.AgeAsync(unit);
        }

        await host.Watchdog.LookAsync(CancellationToken.None);

        Assert.Empty(host.Messages.Sent);
    }

    [Fact]
    public async Task A_big_set_is_sent_no_further_than_may_be_outstanding()
    {
        await using var host = await StartAsync();
        var (run, _) = await host.PlanTrainingAsync();
        await using (var context = await host.Contexts.CreateDbContextAsync())
        {
            context.PlanUnits(UnitKind.ExtractFeatures, "set", Enumerable.Range(0, 40), null, DateTime.UtcNow);
            await context.DependAsync(run.Id, "set", CancellationToken.None);
            await context.SaveChangesAsync();
        }

        await host.Watchdog.LookAsync(CancellationToken.None);
        await host.Watchdog.LookAsync(CancellationToken.None);

        Assert.Equal(Enumerable.Range(0, new UnitOptions().Queued), host.Messages.Sent.OfType<ExtractFeatures>().Select(message => message.Step));
    }

    private Task<TestHost> StartAsync() =>
        TestHost.StartAsync(_catalog.ConnectionString, configure: services => services.AddSingleton<IQueueInspector>(_queues));

    private sealed class Queues : IQueueInspector
    {
        public bool AreEmpty { get; set; } = true;

        public List<string> Asked { get; } = [];

        public Task<bool> IsEmptyAsync(string queue, CancellationToken cancellationToken)
        {
            Asked.Add(queue);
            return Task.FromResult(AreEmpty);
        }
    }
}
