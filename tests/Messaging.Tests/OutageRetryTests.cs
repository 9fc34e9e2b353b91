using Distributed.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Messaging.Tests;

public sealed class OutageRetryTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task An_outage_is_waited_for_longer_and_longer_up_to_ten_seconds()
    {
        var retry = new OutageRetry(_time, NullLogger<OutageRetry>.Instance);
        var calls = 0;
        var running = retry.RunAsync(_ => Task.FromResult(++calls < 10 ? throw new SqliteException("locked", 5) : 42), CancellationToken.None);

        foreach (var wait in (double[])[0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10])
        {
            var before = calls;
            _time.Advance(TimeSpan.FromSeconds(wait) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(before, calls);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.Equal(before + 1, calls);
        }

        Assert.Equal(42, await running);
    }

    public static TheoryData<Exception> Mistakes =>
        [new InvalidOperationException(), new StoredFileException("damaged"), new FileNotFoundException(), new DirectoryNotFoundException(), new SqliteException("constraint", 19)];

    [Theory]
    [MemberData(nameof(Mistakes), DisableDiscoveryEnumeration = true)]
    public async Task What_waiting_does_not_mend_is_thrown_at_once(Exception mistake)
    {
        var retry = new OutageRetry(_time, NullLogger<OutageRetry>.Instance);

        Assert.Same(mistake, await Record.ExceptionAsync(() => retry.RunAsync(_ => Task.FromException(mistake), CancellationToken.None)));
    }

    [Fact]
    public async Task Waiting_ends_when_it_is_cancelled()
    {
        var retry = new OutageRetry(_time, NullLogger<OutageRetry>.Instance);
        using var cancellation = new CancellationTokenSource();
        var running = retry.RunAsync(_ => Task.FromException(new IOException("away")), cancellation.Token);
        Assert.False(running.IsCompleted);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task An_outage_that_the_cancelling_brought_about_is_a_cancelling()
    {
        var retry = new OutageRetry(_time, NullLogger<OutageRetry>.Instance);
        using var cancellation = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => retry.RunAsync(
            async _ =>
            {
                await cancellation.CancelAsync();
                throw new IOException("The read was aborted.");
            },
            cancellation.Token));
    }
}
