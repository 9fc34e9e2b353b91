using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Distributed.Messaging.Tests;

public sealed class OutageRetryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly JobErrors _errors = new(
        [],
        [],
        [new("database", CatalogOutage.Is), new("volume", VolumeOutage.Is), new("broker", BrokerOutage.Is)]
    );

    [Fact]
    public async Task An_outage_is_waited_for_longer_and_longer_up_to_ten_seconds()
    {
        var retry = new OutageRetry(_errors, _time, NullLogger<OutageRetry>.Instance);
        var calls = 0;
        var running = retry.RunAsync(
            _ => Task.FromResult(++calls < 10 ? throw new SqliteException("locked", 5) : 42),
            CancellationToken.None
        );

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

    [Fact]
    public async Task A_wait_is_counted_while_it_goes_on_and_by_what_is_waited_for()
    {
        var seen = new ConcurrentQueue<(string Name, double Value, string System)>();
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<long>(
            (instrument, value, tags, _) => seen.Enqueue((instrument.Name, value, (string)tags[0].Value!))
        );
        listener.SetMeasurementEventCallback<double>(
            (instrument, value, tags, _) => seen.Enqueue((instrument.Name, value, (string)tags[0].Value!))
        );
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name.StartsWith("distributed.outage", StringComparison.Ordinal))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.Start();
        var retry = new OutageRetry(_errors, _time, NullLogger<OutageRetry>.Instance);
        Exception[] errors = [new IOException("full"), new IOException("full"), new SqliteException("locked", 5)];
        var calls = 0;
        var running = retry.RunAsync(
            _ => calls < errors.Length ? Task.FromException(errors[calls++]) : Task.CompletedTask,
            CancellationToken.None
        );

        while (!running.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(200));
        }

        await running;
        // Other tests of the process wait for things, too, but by no clock that stands still: theirs come between.
        var expected = new[]
        {
            ("distributed.outage.active", 1d, "volume"),
            ("distributed.outage.active", -1d, "volume"),
            ("distributed.outage.duration", 0.6, "volume"),
            ("distributed.outage.active", 1d, "database"),
            ("distributed.outage.active", -1d, "database"),
            ("distributed.outage.duration", 0.8, "database"),
        };
        Assert.All(
            expected,
            one =>
                Assert.Contains(
                    seen,
                    found => found.Name == one.Item1 && Math.Abs(found.Value - one.Item2) < 1e-6 && found.System == one.Item3
                )
        );
    }

    public static TheoryData<Exception> Mistakes =>
        [
            new InvalidOperationException(),
            new StoredFileException("damaged"),
            new FileNotFoundException(),
            new DirectoryNotFoundException(),
            new SqliteException("constraint", 19),
        ];

    [Theory]
    [MemberData(nameof(Mistakes), DisableDiscoveryEnumeration = true)]
    public async Task What_waiting_does_not_mend_is_thrown_at_once(Exception mistake)
    {
        var retry = new OutageRetry(_errors, _time, NullLogger<OutageRetry>.Instance);

        Assert.Same(mistake, await Record.ExceptionAsync(() => retry.RunAsync(_ => Task.FromException(mistake), CancellationToken.None)));
    }

    [Fact]
    public async Task Waiting_ends_when_it_is_cancelled()
    {
        var retry = new OutageRetry(_errors, _time, NullLogger<OutageRetry>.Instance);
        using var cancellation = new CancellationTokenSource();
        var running = retry.RunAsync(_ => Task.FromException(new IOException("away")), cancellation.Token);
        Assert.False(running.IsCompleted);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task An_outage_that_the_cancelling_brought_about_is_a_cancelling()
    {
        var retry = new OutageRetry(_errors, _time, NullLogger<OutageRetry>.Instance);
        using var cancellation = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            retry.RunAsync(
                async _ =>
                {
                    await cancellation.CancelAsync();
                    throw new IOException("The read was aborted.");
                },
                cancellation.Token
            )
        );
    }
}
