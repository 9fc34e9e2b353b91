using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Events;

/// <summary>
/// Reads changes for all listeners together: one query a second at most, also where listeners go on from earlier events, and none while
/// nobody listens.
/// </summary>
internal sealed partial class EventFeed(
    IDbContextFactory<CatalogContext> contexts,
    CatalogMigration catalog,
    TimeProvider time,
    ILogger<EventFeed> logger
) : BackgroundService
{
    /// <summary>Most that may listen at once; each holds a connection.</summary>
    public const int MostListeners = 1000;

    /// <summary>Events that are kept for listeners that are slow or come again.</summary>
    public const int Kept = 20_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly HashSet<EventListener> _listeners = [];
    private readonly EventLog _log = new(Kept);
    private readonly Reminder _reminder = new(time);
    private TaskCompletionSource _wanted = NewSignal();
    private TaskCompletionSource _news = NewSignal();
    private bool _isElsewhere;

    /// <summary>Adds a listener.</summary>
    /// <param name="after">The event after which it goes on; null to hear what comes from now on.</param>
    /// <returns>Null where too many listen.</returns>
    public EventListener? Listen(ChangePosition? after)
    {
        var listener = new EventListener(this, after);
        lock (_lock)
        {
            if (_listeners.Count == MostListeners)
            {
                return null;
            }

            _listeners.Add(listener);
            Place(listener, hasRead: false);
            _wanted.TrySetResult();
        }

        return listener;
    }

    public void Leave(EventListener listener)
    {
        lock (_lock)
        {
            _listeners.Remove(listener);
        }
    }

    public async Task<EventBatch> StartAsync(EventListener listener, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task news;
            lock (_lock)
            {
                if (listener.Next is not null)
                {
                    var isReset = listener.IsReset;
                    listener.IsReset = false;
                    return new EventBatch([], listener.Position, isReset);
                }

                news = _news.Task;
            }

            await news.WaitAsync(cancellationToken);
        }
    }

    public async Task<EventBatch> ReadAsync(EventListener listener, TimeSpan patience, CancellationToken cancellationToken)
    {
        Task news;
        lock (_lock)
        {
            if (Take(listener) is { } batch)
            {
                return batch;
            }

            news = _news.Task;
        }

        try
        {
            await news.WaitAsync(patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The caller shows that the connection lives.
        }

        lock (_lock)
        {
            return Take(listener) ?? new EventBatch([], listener.Position, IsReset: false);
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await catalog.Ready.WaitAsync(stoppingToken);
        while (true)
        {
            await Wanted().WaitAsync(stoppingToken);
            var begun = time.GetTimestamp();
            try
            {
                await AskAsync(stoppingToken);
                _reminder.IsDue(null);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Who listens goes on when the database is back.
                if (_reminder.IsDue(exception.GetBaseException().Message))
                {
                    LogNotRead(exception);
                }
            }

            var rest = Interval - time.GetElapsedTime(begun);
            await Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, time, stoppingToken);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task Wanted()
    {
        lock (_lock)
        {
            if (_listeners.Count == 0)
            {
                // What was read grows old while nobody listens.
                _log.Clear();
                _wanted = NewSignal();
            }

            return _wanted.Task;
        }
    }

    private async Task AskAsync(CancellationToken cancellationToken)
    {
        ChangePosition? from;
        lock (_lock)
        {
            from = _isElsewhere
                ? null
                : _listeners.Where(listener => listener.Next is null).Select(listener => listener.After).Append(_log.Last).Min();
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await ChangeReader.ReadAsync(context, from, Kept, cancellationToken);
        // Where nothing stands at the place or after it, it is not of this catalog, and the next question is for the latest.
        _isElsewhere = rows.Count == 0;
        var events = rows.Select(LiveEvent.Of).ToList();
        lock (_lock)
        {
            if (events.Count > 0)
            {
                _log.Add(events);
            }

            foreach (var listener in _listeners.Where(listener => listener.Next is null))
            {
                Place(listener, hasRead: true);
            }

            _news.TrySetResult();
            _news = NewSignal();
        }
    }

    /// <summary>Finds a listener's place, where the log has it.</summary>
    private void Place(EventListener listener, bool hasRead)
    {
        if (_log.Last is null)
        {
            return;
        }

        var place = listener.After is { } after ? _log.After(after) : _log.End;
        listener.IsReset = place is null && hasRead;
        listener.Next = listener.IsReset ? _log.End : place;
        listener.Position = listener.IsReset ? _log.Last : listener.After ?? _log.Last;
    }

    private EventBatch? Take(EventListener listener)
    {
        var next = listener.Next!.Value;
        if (next == _log.End)
        {
            return null;
        }

        (listener.Next, listener.Position) = (_log.End, _log.Last);
        return _log.From(next) is { } events
            ? new EventBatch(events, _log.Last, IsReset: false)
            : new EventBatch([], _log.Last, IsReset: true);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Changes could not be read for those who listen; they hear them when that is possible"
    )]
    private partial void LogNotRead(Exception exception);
}
