using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.TestServers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Distributed.Messaging.Tests;

/// <summary>What a host makes of queues that have no consumer, on a real broker and by a clock of the test's own.</summary>
public sealed class ConsumerWatchTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = (ConsumerWatch.MaxScans - 1) * ConsumerWatch.Interval;

    private readonly CatalogFile _catalog = new();
    private readonly FakeTimeProvider _time = new();
    private readonly int _exitCode = Environment.ExitCode;
    private RabbitMqVirtualHost? _broker;

    public async ValueTask InitializeAsync() => _broker = await RabbitMqVirtualHost.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        Environment.ExitCode = _exitCode;
        await _broker!.DisposeAsync();
        _catalog.Dispose();
    }

    [Fact]
    public async Task A_host_withdraws_when_one_of_its_queues_has_had_no_consumer_for_a_minute()
    {
        await using var host = await StartAsync();
        await using var connection = await new ConnectionFactory { Uri = _broker!.Uri }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicConsumeAsync("train-head-bulk", autoAck: false, new AsyncEventingBasicConsumer(channel));
        var inspector = new Inspector(Real(host));
        using var watch = Watch(host, inspector);
        var started = _time.GetUtcNow();

        await watch.StartAsync(CancellationToken.None);

        var failFast = host.Services.GetRequiredService<FailFast>();
        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        for (var looks = 0; looks < ConsumerWatch.MaxScans; looks++)
        {
            Assert.Null(failFast.Reason);
            await AdvanceToLookAsync(inspector, looks + 1);
        }

        await Wait.UntilAsync(() => lifetime.ApplicationStopping.IsCancellationRequested, "the host is told to stop");
        Assert.StartsWith("The queue train-head has had no consumer for 60 s", failFast.Reason, StringComparison.Ordinal);
        Assert.Contains("start it again", failFast.Reason, StringComparison.Ordinal);
        Assert.True(_time.GetUtcNow() - started >= Limit);
        Assert.Equal(1, Environment.ExitCode);
    }

    [Fact]
    public async Task A_host_whose_queues_have_consumers_is_left_alone()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        using var watch = Watch(host, Real(host));

        await LookAsync(watch, ConsumerWatch.MaxScans + 1);

        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task A_queue_that_has_a_consumer_again_counts_from_the_beginning()
    {
        await using var host = await StartAsync();
        var inspector = new Inspector(Real(host));
        using var watch = Watch(host, inspector);

        await LookAsync(watch, ConsumerWatch.MaxScans - 1);
        inspector.Answer = (queues, _) =>
            Task.FromResult<IReadOnlyDictionary<string, QueueStatistics>>(
                queues.ToDictionary(queue => queue, _ => new QueueStatistics(0, 1))
            );
        await LookAsync(watch, 1);
        inspector.Answer = null;
        await LookAsync(watch, ConsumerWatch.MaxScans - 1);

        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
        await LookAsync(watch, 1);
        Assert.NotNull(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task A_broker_that_cannot_be_reached_is_no_broker_without_consumers()
    {
        await using var host = await StartAsync();
        var inspector = new Inspector(Real(host));
        var away = new RabbitQueueInspector(new RabbitConnections(BrokerAddress.Parse($"amqp://guest:guest@127.0.0.1:{FreePort.Next()}/")));
        using var watch = Watch(host, inspector);

        await LookAsync(watch, ConsumerWatch.MaxScans - 1);
        inspector.Answer = away.InspectAsync;
        await LookAsync(watch, 2 * ConsumerWatch.MaxScans);
        inspector.Answer = null;
        await LookAsync(watch, ConsumerWatch.MaxScans - 1);

        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task A_broker_that_does_not_answer_is_no_broker_without_consumers()
    {
        await using var host = await StartAsync();
        var inspector = new Inspector(Real(host));
        using var watch = Watch(host, inspector);
        await LookAsync(watch, ConsumerWatch.MaxScans - 1);

        inspector.Answer = (_, _) => new TaskCompletionSource<IReadOnlyDictionary<string, QueueStatistics>>().Task;
        var hanging = LookAsync(watch, 1);
        await Wait.UntilAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return hanging.IsCompleted;
            },
            "the look has ended"
        );
        await hanging;
        inspector.Answer = null;
        await LookAsync(watch, ConsumerWatch.MaxScans - 1);

        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task A_host_whose_bus_has_not_started_for_a_minute_withdraws_though_its_queues_have_consumers()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        var gate = new BusGate(declaresNothing: false);
        using var watch = Watch(host, Real(host), gate);

        await LookAsync(watch, ConsumerWatch.MaxScans - 1);
        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
        await LookAsync(watch, 1);

        Assert.StartsWith(
            "This host has not been able to declare its queues and consume for 60 s",
            host.Services.GetRequiredService<FailFast>().Reason,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_host_that_waits_for_another_to_declare_queues_waits_without_end()
    {
        await using var host = await StartAsync(set => TestHost.Training(set));
        var gate = new BusGate(declaresNothing: false) { Waiting = "AdminApi declares them." };
        using var watch = Watch(host, Real(host), gate);

        await LookAsync(watch, 5 * ConsumerWatch.MaxScans);
        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);

        // From then on it is its own affair.
        gate.Waiting = null;
        await LookAsync(watch, ConsumerWatch.MaxScans - 1);
        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
        await LookAsync(watch, 1);
        Assert.NotNull(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Fact]
    public async Task Nobody_looks_while_the_host_stops()
    {
        await using var host = await StartAsync();
        var inspector = new Inspector(Real(host));
        using var watch = Watch(host, inspector);
        await watch.StartAsync(CancellationToken.None);
        await AdvanceToLookAsync(inspector, 1);

        host.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        await watch.ExecuteTask!.WaitAsync(Wait.Limit);
        _time.Advance(2 * Limit);

        Assert.Equal(1, inspector.Looks);
        Assert.Null(host.Services.GetRequiredService<FailFast>().Reason);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task Hosts_with_consumers_on_a_broker_have_a_watch(bool hasConsumers, int watches)
    {
        await using var host = await StartAsync(hasConsumers ? set => TestHost.Training(set) : null);
        await using var inMemory = await TestHost.StartAsync(_catalog.ConnectionString, consumers: set => TestHost.Training(set));

        Assert.Equal(watches, host.Services.GetServices<IHostedService>().OfType<ConsumerWatch>().Count());
        Assert.Empty(inMemory.Services.GetServices<IHostedService>().OfType<ConsumerWatch>());
    }

    private static RabbitQueueInspector Real(TestHost host) => new(host.Services.GetRequiredService<RabbitConnections>());

    private static async Task LookAsync(ConsumerWatch watch, int times)
    {
        for (var time = 0; time < times; time++)
        {
            await watch.ScanAsync(CancellationToken.None);
        }
    }

    private Task<TestHost> StartAsync(Action<ConsumerSet>? consumers = null) =>
        TestHost.StartAsync(_catalog.ConnectionString, _broker!.Uri.ToString(), consumers);

    /// <summary>The watch of a host that should consume two queues.</summary>
    private ConsumerWatch Watch(TestHost host, IQueueInspector inspector, BusGate? gate = null) =>
        ActivatorUtilities.CreateInstance<ConsumerWatch>(
            host.Services,
            TestHost.Training(new ConsumerSet()),
            inspector,
            gate ?? host.Services.GetRequiredService<BusGate>(),
            _time
        );

    private Task AdvanceToLookAsync(Inspector inspector, int looks) =>
        Wait.UntilAsync(
            () =>
            {
                if (!inspector.IsBusy && inspector.Looks < looks)
                {
                    _time.Advance(ConsumerWatch.Interval / 10);
                }

                return inspector.Looks >= looks;
            },
            $"{looks} looks are done"
        );

    private sealed class Inspector(IQueueInspector real) : IQueueInspector
    {
        private int _looks;
        private int _begun;

        public bool IsBusy => Volatile.Read(ref _begun) > Looks;

        /// <summary>Looks that have been answered.</summary>
        public int Looks => Volatile.Read(ref _looks);

        /// <summary>What is answered in the place of the broker; null for the broker itself.</summary>
        public Func<
            IReadOnlyCollection<string>,
            CancellationToken,
            Task<IReadOnlyDictionary<string, QueueStatistics>>
        >? Answer { get; set; }

        public async Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
            IReadOnlyCollection<string> queues,
            CancellationToken cancellationToken
        )
        {
            Interlocked.Increment(ref _begun);
            var answer = await (Answer ?? real.InspectAsync)(queues, cancellationToken);
            Interlocked.Increment(ref _looks);
            return answer;
        }
    }
}
