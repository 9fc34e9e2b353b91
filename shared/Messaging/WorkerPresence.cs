using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>
/// Knows for which kinds of job no worker is connected. The broker is asked every few seconds, for all runs together; while it
/// does not answer, nothing is known, and nothing is said.
/// </summary>
public sealed partial class WorkerPresence : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>From one scan to the next while a worker is missed, so that it is soon known that there is one.</summary>
    private static readonly TimeSpan ShortInterval = TimeSpan.FromSeconds(1);

    /// <summary>How old an answer of the broker may be, where the next one takes its time.</summary>
    private static readonly TimeSpan KnownFor = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly JobStages _stages;
    private readonly IDbContextFactory<CatalogContext> _contexts;
    private readonly CatalogMigration _catalog;
    private readonly IQueueInspector _inspector;
    private readonly TimeProvider _time;
    private readonly ILogger<WorkerPresence> _logger;
    private readonly HashSet<string> _missed = new(StringComparer.Ordinal);
    private volatile Answer? _answer;

    /// <param name="stages">The stages.</param>
    /// <param name="contexts">The catalog.</param>
    /// <param name="catalog">Says when the catalog can be used.</param>
    /// <param name="inspector">Asks the broker.</param>
    /// <param name="meters">Makes the meter.</param>
    /// <param name="time">Times the scans.</param>
    /// <param name="logger">Logs when workers are missed, and when they are there again.</param>
    public WorkerPresence(
        JobStages stages,
        IDbContextFactory<CatalogContext> contexts,
        CatalogMigration catalog,
        IQueueInspector inspector,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<WorkerPresence> logger
    )
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_stages, _contexts, _catalog, _inspector, _time, _logger) = (stages, contexts, catalog, inspector, time, logger);
        var meter = meters.Create(MessagingTelemetry.SourceName);
        meter.CreateObservableGauge(
            "distributed.queue.consumers",
            () => Measure(queue => queue.Consumers),
            "{consumer}",
            "Workers that are connected to a queue of jobs, by queue and service; absent while the broker does not answer"
        );
        meter.CreateObservableGauge(
            "distributed.queue.depth",
            () => Measure(queue => queue.Ready),
            "{message}",
            "Messages of jobs that wait in a queue, by queue and service; absent while the broker does not answer"
        );
    }

    /// <summary>Kinds of job for which no worker is connected; empty where that is not known.</summary>
    public IReadOnlyList<string> Missing =>
        Current is { } answer ? [.. _stages.All.Where(stage => IsMissing(answer, stage)).Select(stage => stage.Kind)] : [];

    /// <summary>The statistics of a queue as the broker last said; null where that is not known.</summary>
    public QueueStatistics? Find(string queue) => Current?.Statistics.GetValueOrDefault(queue);

    /// <summary>Whether the broker says that a queue has no consumer; false where that is not known.</summary>
    internal bool HasNoConsumer(string queue) =>
        Current is { } answer && answer.Statistics.TryGetValue(queue, out var statistics) && statistics.Consumers == 0;

    private Answer? Current => _answer is { } answer && _time.GetElapsedTime(answer.At) < KnownFor ? answer : null;

    /// <summary>What a run waits for whose jobs of some kinds no worker claims; the first of them counts.</summary>
    public string Describe(IReadOnlyCollection<string> kinds) =>
        $"No {_stages.All.First(stage => kinds.Contains(stage.Kind)).Service} worker is connected.";

    /// <summary>Scans once.</summary>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        try
        {
            var statistics = await _time.RunAsync(
                Timeout,
                token =>
                    _inspector.InspectAsync(
                        [.. _stages.All.SelectMany(stage => stage.Queues), .. RequestKind.All.Select(queue => queue.Name)],
                        token
                    ),
                cancellationToken
            );
            _answer = new Answer(statistics, _time.GetTimestamp());
        }
        catch (Exception exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _answer = null;
            LogNotAsked(exception);
            return;
        }

        try
        {
            await LogAsync(Missing, cancellationToken);
        }
        catch (Exception exception) when (CatalogOutage.Is(exception))
        {
            LogNotAsked(exception);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The host has other things to do than to count.
            LogFailed(exception);
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _catalog.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            await ScanAsync(stoppingToken);
            timer.Period = Missing.Count == 0 ? Interval : ShortInterval;
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private static bool IsMissing(Answer answer, JobStage stage) => stage.Queues.All(queue => answer.Statistics[queue].Consumers == 0);

    internal IEnumerable<Measurement<long>> Measure(Func<QueueStatistics, long> count) =>
        Current is not { } answer
            ? []
            : _stages.All.SelectMany(stage =>
                stage.Queues.Select(queue => new Measurement<long>(
                    count(answer.Statistics[queue]),
                    new("queue", queue),
                    new("service", stage.Service)
                ))
            );

    /// <summary>Once when jobs come to wait for a service's workers, and once when one is there.</summary>
    private async Task LogAsync(IReadOnlyList<string> missing, CancellationToken cancellationToken)
    {
        var services = missing.Select(kind => _stages.For(kind).Service).ToHashSet(StringComparer.Ordinal);
        foreach (var service in _missed.Where(service => !services.Contains(service)).ToList())
        {
            _missed.Remove(service);
            LogConnected(service);
        }

        if (services.All(_missed.Contains))
        {
            return;
        }

        await using var context = await _contexts.CreateDbContextAsync(cancellationToken);
        var waiting = await context
            .Jobs.AsNoTracking()
            .NeededByOpenRuns(context)
            .Unclaimed()
            .Where(job => missing.Contains(job.Kind))
            .GroupBy(job => job.Kind)
            .Select(kind => new { Kind = kind.Key, Count = kind.Count() })
            .ToListAsync(cancellationToken);
        foreach (var service in waiting.GroupBy(kind => _stages.For(kind.Kind).Service, StringComparer.Ordinal))
        {
            if (_missed.Add(service.Key))
            {
                LogMissed(service.Key, service.Sum(kind => kind.Count));
            }
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "No {Service} worker is connected; jobs that wait for one: {Count}. Start one; one that runs says in /health/ready why it takes no work"
    )]
    private partial void LogMissed(string service, int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "A worker is connected: {Service}")]
    private partial void LogConnected(string service);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Connected workers could not be counted")]
    private partial void LogNotAsked(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Jobs that wait for a worker could not be counted")]
    private partial void LogFailed(Exception exception);

    private sealed record Answer(IReadOnlyDictionary<string, QueueStatistics> Statistics, long At);
}
