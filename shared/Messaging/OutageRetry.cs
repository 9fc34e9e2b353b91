using System.Net.Sockets;
using Distributed.Catalog;
using Distributed.Storage;
using MassTransit;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>Waits, where it stands, for a database, a broker or a volume that is away: outages never fail a run.</summary>
public sealed partial class OutageRetry(TimeProvider time, ILogger<OutageRetry> logger)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    /// <summary>Runs an action until it ends in another way than by an outage.</summary>
    public Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> action, CancellationToken cancellationToken) =>
        RunAsync(action, _ => Task.CompletedTask, cancellationToken);

    /// <summary>Runs an action until it ends in another way than by an outage.</summary>
    /// <param name="action">The action.</param>
    /// <param name="onOutage">Told the cause before each wait.</param>
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
            catch (Exception exception) when (IsOutage(exception))
            {
                // Cancelling breaks connections and reads off: then it is no outage.
                cancellationToken.ThrowIfCancellationRequested();
                waiting.For(SystemOf(exception));
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

    private static string SystemOf(Exception exception) =>
        CatalogOutage.Is(exception) ? "database"
        : exception is IOException && !IsOfConnection(exception) ? "volume"
        : "broker";

    /// <summary>Whether it is a connection that broke, rather than a file that cannot be read or written.</summary>
    private static bool IsOfConnection(Exception? exception) =>
        exception is SocketException or EndOfStreamException || (exception is not null && IsOfConnection(exception.InnerException));

    /// <summary>Whether database, broker or volume are away, which passes.</summary>
    internal static bool IsOutage(Exception exception) =>
        CatalogOutage.Is(exception)
        || exception is ConnectionException or TransportException or RabbitMQClientException
        || (exception is IOException and not (StoredFileException or FileNotFoundException or DirectoryNotFoundException));

    [LoggerMessage(Level = LogLevel.Warning, Message = "Waiting {Seconds} s for database, broker or volume")]
    private partial void LogOutage(Exception exception, double seconds);
}
