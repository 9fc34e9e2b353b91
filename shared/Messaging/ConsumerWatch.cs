using Distributed.Jobs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>
/// Asks the broker whether the queues of this host have consumers. The client can lose them for good (RabbitMQ.Client 7.2.2):
/// where a channel closes between the broker's answer to a new consumer and its handling, the endpoint waits for that answer
/// for ever; where a stream ends in the middle of a frame while a connection is being made, all endpoints do; and where the
/// broker goes while a starting bus declares its queues, the bus may never have started, whatever consumes already. Nothing in
/// the process notices, and what waits so cannot be stopped reliably, so the host fails fast.
/// </summary>
internal sealed partial class ConsumerWatch(
    JobStages stages,
    ConsumerSet consumers,
    IQueueInspector inspector,
    BusGate gate,
    HostChecks checks,
    FailFast failFast,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<ConsumerWatch> logger
) : BackgroundService
{
    /// <summary>
    /// Scans in a row that find a queue without any consumer, before the host fails fast: over a minute. After an outage the bus
    /// has been seen to take up to 52 s until it consumes again. They are counted, since a clock goes on while a process is frozen.
    /// </summary>
    public const int MaxScans = 7;

    /// <summary>From one scan to the next.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly string[] _queues = [.. consumers.Endpoints.SelectMany(endpoint => endpoint.Queues(stages))];
    private readonly Dictionary<string, int> _without = new(StringComparer.Ordinal);
    private int _notStarted;

    /// <summary>Scans once.</summary>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, QueueStatistics> statistics;
        try
        {
            statistics = await time.RunAsync(Timeout, token => inspector.InspectAsync(_queues, token), cancellationToken);
        }
        catch (Exception exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A broker that is away has no consumers, and gets them again when it is back.
            _without.Clear();
            _notStarted = 0;
            LogNotScanned(exception);
            return;
        }

        foreach (var (queue, found) in statistics)
        {
            _without[queue] = found.Consumers > 0 ? 0 : _without.GetValueOrDefault(queue) + 1;
        }

        foreach (var (queue, scans) in _without.Where(queue => queue.Value > 1))
        {
            LogWithout(queue, scans);
        }

        // What another host has to do first is waited for without end.
        _notStarted = gate.Open.IsCompleted || gate.Waiting is not null ? 0 : _notStarted + 1;
        if (_without.FirstOrDefault(queue => queue.Value >= MaxScans).Key is { } lost)
        {
            EndHost($"The queue {lost} has had no consumer for", "and this host should be one", cancellationToken);
        }
        else if (_notStarted >= MaxScans)
        {
            EndHost("This host has not been able to declare its queues and consume for", "to others", cancellationToken);
        }
    }

    private void EndHost(string what, string although, CancellationToken cancellationToken)
    {
        if (!cancellationToken.IsCancellationRequested)
        {
            failFast.End(
                $"{what} {(MaxScans - 1) * Interval.TotalSeconds:F0} s, though the broker answers {although}. "
                    + "It ends so that it is restarted, which mends that; where nothing does so, start it again."
            );
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The bus stops its consumers before this service is stopped.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await checks.Passed.WaitAsync(stopping.Token);
            while (true)
            {
                await Task.Delay(Interval, time, stopping.Token);
                await ScanAsync(stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The host knows only its own token, and takes another's for a failure.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue {Queue} has no consumer, in {Scans} scans in a row")]
    private partial void LogWithout(string queue, int scans);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The broker could not be asked for consumers")]
    private partial void LogNotScanned(Exception exception);
}
