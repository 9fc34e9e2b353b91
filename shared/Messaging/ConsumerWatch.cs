using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>
/// Asks the broker whether the queues of this host have consumers. The client can lose them for good (RabbitMQ.Client 7.2.2):
/// where a channel closes between the broker's answer to a new consumer and its handling, the endpoint waits for that answer
/// for ever; where a stream ends in the middle of a frame while a connection is being made, all endpoints do; and where the
/// broker goes while a starting bus declares its queues, the bus may never have started, whatever consumes already. Nothing in
/// the process notices, and what waits so cannot be stopped reliably, so the host withdraws.
/// </summary>
internal sealed partial class ConsumerWatch(
    ConsumerSet consumers,
    IQueueInspector inspector,
    BusGate gate,
    HostChecks checks,
    Withdrawal withdrawal,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<ConsumerWatch> logger
) : BackgroundService
{
    /// <summary>
    /// Looks in a row that find a queue without any consumer, before the host withdraws: over a minute. After an outage the bus
    /// has been seen to take up to 52 s until it consumes again. They are counted, since a clock goes on while a process is frozen.
    /// </summary>
    public const int MostLooks = 7;

    /// <summary>From one look to the next.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly string[] _queues = [.. consumers.Endpoints.Select(endpoint => endpoint.Queue)];
    private readonly Dictionary<string, int> _without = new(StringComparer.Ordinal);
    private int _notStarted;

    /// <summary>Looks once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, QueueStanding> standings;
        try
        {
            standings = await time.RunAsync(Patience, token => inspector.LookAsync(_queues, token), cancellationToken);
        }
        catch (Exception exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A broker that is away has no consumers, and gets them again when it is back.
            _without.Clear();
            _notStarted = 0;
            LogNotLooked(exception);
            return;
        }

        foreach (var (queue, standing) in standings)
        {
            _without[queue] = standing.Consumers > 0 ? 0 : _without.GetValueOrDefault(queue) + 1;
        }

        foreach (var (queue, looks) in _without.Where(queue => queue.Value > 1))
        {
            LogWithout(queue, looks);
        }

        // What another host has to do first is waited for without end.
        _notStarted = gate.Open.IsCompleted || gate.Waiting is not null ? 0 : _notStarted + 1;
        if (_without.FirstOrDefault(queue => queue.Value >= MostLooks).Key is { } lost)
        {
            Withdraw($"The queue {lost} has had no consumer for", "and this host should be one", cancellationToken);
        }
        else if (_notStarted >= MostLooks)
        {
            Withdraw("This host has not been able to declare its queues and consume for", "to others", cancellationToken);
        }
    }

    private void Withdraw(string what, string although, CancellationToken cancellationToken)
    {
        if (!cancellationToken.IsCancellationRequested)
        {
            withdrawal.Begin(
                $"{what} {(MostLooks - 1) * Interval.TotalSeconds:F0} s, though the broker answers {although}. "
                    + "It ends so that it is started anew, which mends that; where nothing does so, start it again."
            );
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The bus gives its consumers up before this service is stopped.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await checks.Passed.WaitAsync(stopping.Token);
            while (true)
            {
                await Task.Delay(Interval, time, stopping.Token);
                await LookAsync(stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The host knows only its own token, and takes another's for a failure.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue {Queue} has no consumer, in {Looks} looks in a row")]
    private partial void LogWithout(string queue, int looks);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The broker could not be asked for consumers")]
    private partial void LogNotLooked(Exception exception);
}
