using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Messaging.Tests;

public sealed class PriorityLimiterTests
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(100);

    private readonly FakeTimeProvider _time = new();
    private readonly PriorityLimiter _gate;

    public PriorityLimiterTests() => _gate = new PriorityLimiter(_time);

    [Fact]
    public async Task One_job_of_a_resource_has_its_turn_at_a_time_in_the_order_in_which_they_came()
    {
        var first = await EnterAsync(RunPriority.Interactive);
        var second = EnterAsync(RunPriority.Interactive);
        var third = EnterAsync(RunPriority.Interactive);
        Assert.False(second.IsCompleted || third.IsCompleted);

        first!.Dispose();
        first.Dispose();

        var turn = await second.WaitAsync(Wait.Limit);
        Assert.False(third.IsCompleted);
        turn!.Dispose();
        Assert.NotNull(await third.WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task Jobs_of_other_resources_do_not_wait_for_it()
    {
        await EnterAsync(RunPriority.Interactive);

        Assert.NotNull(await _gate.EnterAsync("network", RunPriority.Bulk, Timeout.InfiniteTimeSpan, CancellationToken.None));
    }

    [Fact]
    public async Task What_is_interactive_goes_before_bulk_that_came_earlier()
    {
        var running = await EnterAsync(RunPriority.Bulk);
        var bulk = EnterAsync(RunPriority.Bulk);
        var interactive = EnterAsync(RunPriority.Interactive);

        running!.Dispose();

        var turn = await interactive.WaitAsync(Wait.Limit);
        Assert.False(bulk.IsCompleted);
        turn!.Dispose();
        Assert.False(bulk.IsCompleted);
        _time.Advance(Quiet);
        Assert.NotNull(await bulk.WaitAsync(Wait.Limit));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_clock_that_jumps_makes_bulk_wait_neither_longer_nor_shorter(int hours)
    {
        var clock = new SetClock(_time);
        var gate = new PriorityLimiter(clock);
        (await EnterAsync(RunPriority.Interactive, gate))!.Dispose();
        clock.Ahead = TimeSpan.FromHours(hours);

        var bulk = EnterAsync(RunPriority.Bulk, gate);

        _time.Advance(Quiet / 2);
        Assert.False(bulk.IsCompleted);
        _time.Advance(Quiet / 2);
        Assert.NotNull(await bulk.WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task Bulk_leaves_the_next_job_of_an_interactive_run_time_to_come()
    {
        (await EnterAsync(RunPriority.Interactive))!.Dispose();
        var bulk = EnterAsync(RunPriority.Bulk);
        _time.Advance(Quiet / 2);
        var next = await EnterAsync(RunPriority.Interactive).WaitAsync(Wait.Limit);
        _time.Advance(Quiet * 2);
        Assert.False(bulk.IsCompleted);

        next!.Dispose();
        _time.Advance(Quiet);

        Assert.NotNull(await bulk.WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task Bulk_alone_does_not_wait()
    {
        (await EnterAsync(RunPriority.Bulk))!.Dispose();

        Assert.NotNull(await EnterAsync(RunPriority.Bulk).WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task Who_has_waited_long_enough_goes_without_a_turn_and_takes_none_from_others()
    {
        var running = await EnterAsync(RunPriority.Interactive);
        var waiting = _gate.EnterAsync("tensors", RunPriority.Bulk, TimeSpan.FromSeconds(10), CancellationToken.None);
        using var cancel = new CancellationTokenSource();
        var cancelled = _gate.EnterAsync("tensors", RunPriority.Interactive, Timeout.InfiniteTimeSpan, cancel.Token);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Null(await waiting.WaitAsync(Wait.Limit));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(Wait.Limit));

        running!.Dispose();

        Assert.NotNull(await EnterAsync(RunPriority.Interactive).WaitAsync(Wait.Limit));
    }

    private Task<IDisposable?> EnterAsync(RunPriority priority, PriorityLimiter? gate = null) =>
        (gate ?? _gate).EnterAsync("tensors", priority, Timeout.InfiniteTimeSpan, CancellationToken.None);

    /// <summary>A clock on the wall that can be set; durations are measured as ever.</summary>
    private sealed class SetClock(TimeProvider inner) : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow() + Ahead;

        public override long GetTimestamp() => inner.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            inner.CreateTimer(callback, state, dueTime, period);
    }
}
