using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>How a queue stands.</summary>
/// <param name="Ready">Messages that are ready for delivery.</param>
/// <param name="Consumers">Consumers that the broker knows, those of all hosts together.</param>
public sealed record QueueStanding(long Ready, long Consumers);

/// <summary>Tells how queues stand.</summary>
public interface IQueueInspector
{
    /// <summary>Looks at some queues; one that is not there has neither messages nor consumers.</summary>
    /// <returns>How each of them stands, by its name.</returns>
    Task<IReadOnlyDictionary<string, QueueStanding>> LookAsync(IReadOnlyCollection<string> queues, CancellationToken cancellationToken);
}

/// <summary>The bus inside the process loses nothing as long as the process lives: there are always messages, and somebody who takes them.</summary>
internal sealed class InMemoryQueueInspector : IQueueInspector
{
    public Task<IReadOnlyDictionary<string, QueueStanding>> LookAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<string, QueueStanding>>(
            queues.ToDictionary(queue => queue, _ => new QueueStanding(1, 1), StringComparer.Ordinal)
        );
}

/// <summary>Asks RabbitMQ.</summary>
internal sealed class RabbitQueueInspector(RabbitConnections connections) : IQueueInspector
{
    public async Task<IReadOnlyDictionary<string, QueueStanding>> LookAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await connections.OpenAsync("queue inspector", cancellationToken);
        var standings = new Dictionary<string, QueueStanding>(StringComparer.Ordinal);
        foreach (var queue in queues)
        {
            standings[queue] = await LookAsync(connection, queue, cancellationToken);
        }

        return standings;
    }

    private static async Task<QueueStanding> LookAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        // A channel each, since a refusal closes it.
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            var declared = await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
            return new QueueStanding(declared.MessageCount, declared.ConsumerCount);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return new QueueStanding(0, 0);
        }
    }
}

/// <summary>Opens connections beside those of the bus, for a moment each.</summary>
internal sealed class RabbitConnections(BrokerAddress address)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public Task<IConnection> OpenAsync(string purpose, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory
        {
            Uri = address.Uri!,
            RequestedHeartbeat = Patience,
            RequestedConnectionTimeout = Patience,
            // Who has lost one opens another.
            AutomaticRecoveryEnabled = false,
        };
        return factory.CreateConnectionAsync($"Distributed {purpose}", cancellationToken);
    }
}
