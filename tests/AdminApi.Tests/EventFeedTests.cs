using Distributed.AdminApi.Events;
using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.AdminApi.Tests;

public sealed class EventFeedTests : IAsyncLifetime
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();
    private AdminServer _server = null!;
    private CountedContexts _contexts = null!;
    private EventFeed _feed = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await AdminServer.StartAsync();
        _contexts = new CountedContexts(_server.Services.GetRequiredService<IDbContextFactory<CatalogContext>>());
        _feed = new EventFeed(_contexts, _server.Services.GetRequiredService<CatalogMigration>(), _time, NullLogger<EventFeed>.Instance);
        await _feed.StartAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _feed.StopAsync(CancellationToken.None);
        _feed.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Two_hundred_listeners_cost_one_question_a_second_at_most_also_when_they_come_again()
    {
        var listeners = await ListenAsync(after: null);
        var places = new List<ChangePosition?>();
        for (var round = 0; round < 5; round++)
        {
            await _server.AddAsync(NewRun());
            var heard = Task.WhenAll(listeners.Select(listener => listener.ReadAsync(Patience, CancellationToken.None)));
            await PassUntilAsync(() => heard.IsCompleted);
            var batches = await heard;
            // The same events for all of them, each written once.
            Assert.All(batches, batch => Assert.Same(batches[0].Events[^1], batch.Events[^1]));
            places.Add(batches[0].Position);
        }

        listeners.ForEach(listener => listener.Dispose());
        _time.Advance(Second);
        listeners = await ListenAsync(places[0]);
        var missed = await Task.WhenAll(listeners.Select(listener => listener.ReadAsync(Patience, CancellationToken.None)));

        Assert.All(missed, batch => Assert.Equal(places[^1], batch.Events.First(one => one.Position == places[^1]).Position));
        Assert.InRange(_contexts.Count, 6, 1 + (int)(_time.GetUtcNow() - _time.Start).TotalSeconds);
    }

    [Fact]
    public async Task Nothing_is_asked_while_nobody_listens()
    {
        for (var second = 0; second < 10; second++)
        {
            _time.Advance(Second);
        }

        using var listener = _feed.Listen(after: null)!;
        await listener.StartAsync(CancellationToken.None).WaitAsync(Patience);

        Assert.Equal(1, _contexts.Count);
    }

    [Fact]
    public async Task A_listener_that_is_too_slow_is_told_and_holds_nothing()
    {
        using var listener = _feed.Listen(after: null)!;
        await listener.StartAsync(CancellationToken.None).WaitAsync(Patience);
        await _server.QueryAsync(context =>
            context.Database.ExecuteSqlRawAsync(
                $"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= {EventFeed.Kept}) INSERT INTO changes (transaction_id, at, kind, data) SELECT 0, CURRENT_TIMESTAMP, 'run', json_object('name', i) FROM n"
            )
        );
        var asked = _contexts.Count;
        await PassUntilAsync(() => _contexts.Count > asked + 1);

        var batch = await listener.ReadAsync(Patience, CancellationToken.None).WaitAsync(Patience);

        Assert.True(batch.IsReset);
        Assert.Empty(batch.Events);
    }

    [Fact]
    public void Only_so_many_may_listen()
    {
        var listeners = Enumerable.Range(0, EventFeed.MostListeners).Select(_ => _feed.Listen(after: null)!).ToList();

        Assert.Null(_feed.Listen(after: null));
        listeners[0].Dispose();
        Assert.NotNull(_feed.Listen(after: null));
    }

    private async Task<List<EventListener>> ListenAsync(ChangePosition? after)
    {
        var listeners = Enumerable.Range(0, 200).Select(_ => _feed.Listen(after)!).ToList();
        var started = Task.WhenAll(listeners.Select(listener => listener.StartAsync(CancellationToken.None)));
        await PassUntilAsync(() => started.IsCompleted);
        Assert.All(await started, start => Assert.False(start.IsReset));
        return listeners;
    }

    /// <summary>Lets time pass until something holds.</summary>
    private Task PassUntilAsync(Func<bool> condition) =>
        AdminServer.UntilAsync(() =>
        {
            _time.Advance(Second / 10);
            return Task.FromResult(condition());
        });

    private static Run NewRun() =>
        new()
        {
            Id = Guid.NewGuid(),
            Tags = [],
            Specification = "{}",
            SubmittedAt = DateTime.UtcNow,
        };

    private sealed class CountedContexts(IDbContextFactory<CatalogContext> inner) : IDbContextFactory<CatalogContext>
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public CatalogContext CreateDbContext()
        {
            Interlocked.Increment(ref _count);
            return inner.CreateDbContext();
        }
    }
}
