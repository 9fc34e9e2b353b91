using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;
using Distributed.TestServers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging.Tests;

/// <summary>What is known of workers, on a real broker.</summary>
public sealed class WorkerPresenceTests : IAsyncLifetime
{
    private readonly CatalogFile _catalog = new();
    private readonly Log _log = new();
    private RabbitMqVirtualHost? _broker;

    public async ValueTask InitializeAsync() => _broker = await RabbitMqVirtualHost.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await _broker!.DisposeAsync();
        _catalog.Dispose();
    }

    [Fact]
    public async Task Jobs_without_a_worker_are_told_of_once_and_once_more_when_there_is_one()
    {
        await using var admin = await StartAsync();
        using var presence = Create(admin);
        await presence.ScanAsync(CancellationToken.None);
        // Nobody waits for a worker yet.
        Assert.Contains(nameof(TrainHead), presence.Missing);
        Assert.Empty(_log.Lines);

        await admin.PlanTrainingAsync();
        await presence.ScanAsync(CancellationToken.None);
        await presence.ScanAsync(CancellationToken.None);
        Assert.StartsWith(
            "No training worker is connected; jobs that wait for one: 1",
            Assert.Single(_log.Lines),
            StringComparison.Ordinal
        );

        await using (await StartAsync(set => TestHost.Training(set)))
        {
            await presence.ScanAsync(CancellationToken.None);
            await presence.ScanAsync(CancellationToken.None);

            Assert.DoesNotContain(nameof(TrainHead), presence.Missing);
        }
    }

    [Fact]
    public async Task Consumers_are_measured_by_queue_and_service()
    {
        await using var worker = await StartAsync(set => TestHost.Training(set));
        using var presence = Create(worker);
        await presence.ScanAsync(CancellationToken.None);

        var measured = Measure(presence);

        Assert.Equal(
            RunStages.All.All.SelectMany(stage => stage.Queues).Order(StringComparer.Ordinal),
            measured.Keys.Select(key => key.Queue).Order(StringComparer.Ordinal)
        );
        Assert.Equal(1, measured[("train-head", "training")]);
        Assert.Equal(1, measured[("train-head-bulk", "training")]);
        Assert.Equal(0, measured[("evaluate-head", "evaluation")]);
        Assert.Equal(0, measured[("pack-images", "ingestion")]);
    }

    [Fact]
    public async Task While_the_broker_does_not_answer_nothing_is_said()
    {
        await using var admin = await StartAsync();
        await admin.PlanTrainingAsync();
        var inspector = new Breaking(admin.Services.GetRequiredService<IQueueInspector>());
        using var presence = Create(admin, inspector);
        await presence.ScanAsync(CancellationToken.None);
        Assert.NotEmpty(presence.Missing);
        _log.Lines.Clear();

        inspector.IsBroken = true;
        await presence.ScanAsync(CancellationToken.None);

        Assert.Empty(presence.Missing);
        Assert.Empty(Measure(presence));
        Assert.Empty(_log.Lines);
    }

    private static Dictionary<(string Queue, string Service), long> Measure(WorkerPresence presence)
    {
        // Other hosts of the test's process have instruments of the same name.
        var measured = new Dictionary<(string, string), long>();
        foreach (var measurement in presence.Measure(standing => standing.Consumers))
        {
            var tags = measurement.Tags.ToArray().ToDictionary(tag => tag.Key, tag => (string)tag.Value!);
            Assert.Equal(2, tags.Count);
            measured.Add((tags["queue"], tags["service"]), measurement.Value);
        }

        return measured;
    }

    private WorkerPresence Create(TestHost host, IQueueInspector? inspector = null) =>
        ActivatorUtilities.CreateInstance<WorkerPresence>(
            host.Services,
            inspector ?? host.Services.GetRequiredService<IQueueInspector>(),
            (ILogger<WorkerPresence>)_log
        );

    private Task<TestHost> StartAsync(Action<ConsumerSet>? consumers = null) =>
        TestHost.StartAsync(_catalog.ConnectionString, _broker!.Uri.ToString(), consumers);

    private sealed class Breaking(IQueueInspector real) : IQueueInspector
    {
        public bool IsBroken { get; set; }

        public Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
            IReadOnlyCollection<string> queues,
            CancellationToken cancellationToken
        ) => IsBroken ? throw new IOException("The broker is away.") : real.InspectAsync(queues, cancellationToken);
    }

    /// <summary>What people are told; what is for debugging is not.</summary>
    private sealed class Log : ILogger<WorkerPresence>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel > LogLevel.Debug;

        void ILogger.Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (IsEnabled(logLevel))
            {
                Lines.Add(formatter(state, exception));
            }
        }
    }
}
