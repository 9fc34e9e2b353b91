using Microsoft.Extensions.Logging;

namespace Distributed.Jobs;

/// <summary>Waits, where it stands, for a database, a broker or a volume that is away: outages never fail a run.</summary>
public sealed partial class OutageRetry(JobErrors errors, TimeProvider time, ILogger<OutageRetry> logger)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    /// <summary>Runs an action until it ends in another way than by an outage.</summary>
    public Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> action, CancellationToken cancellationToken) =>
        RunAsync(action, _ => Task.CompletedTask, cancellationToken);

    /// <summary>Runs an action until it ends in another way than by an outage.</summary>
    /// <param name="action">The action.</param>
    /// <param name="onOutage">Called with the cause before each wait.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<T> RunAsync<T>(
        Func<CancellationToken, Task<T>> action,
        Func<string, Task> onOutage,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentNullException.ThrowIfNull(onOutage);
        using var waiting = new OutageWait(time);
        for (var wait = TimeSpan.FromMilliseconds(200); ; wait = TimeSpan.FromTicks(Math.Min(LongestWait.Ticks, wait.Ticks * 2)))
        {
            try
            {
                return await action(cancellationToken);
            }
            catch (Exception exception) when (errors.OutageOf(exception) is string system)
            {
                // Cancelling breaks connections and reads off: then it is no outage.
                cancellationToken.ThrowIfCancellationRequested();
                waiting.For(system);
                LogOutage(exception, wait.TotalSeconds);
                await onOutage(exception.Message);
            }

            await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Runs an action until it ends in another way than by an outage.</summary>
    public Task RunAsync(Func<CancellationToken, Task> action, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(action);
        return RunAsync(
            async token =>
            {
                await action(token);
                return true;
            },
            cancellationToken
        );
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Waiting {Seconds} s for database, broker or volume")]
    private partial void LogOutage(Exception exception, double seconds);
}
