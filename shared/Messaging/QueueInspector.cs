using RabbitMQ.Client;

namespace Distributed.Messaging;

/// <summary>Tells whether messages wait.</summary>
public interface IQueueInspector
{
    /// <summary>Whether a queue has no message that is ready for delivery.</summary>
    Task<bool> IsEmptyAsync(string queue, CancellationToken cancellationToken);
}

/// <summary>The bus inside the process loses nothing as long as the process lives.</summary>
internal sealed class InMemoryQueueInspector : IQueueInspector
{
    public Task<bool> IsEmptyAsync(string queue, CancellationToken cancellationToken) => Task.FromResult(false);
}

/// <summary>Asks RabbitMQ.</summary>
internal sealed class RabbitQueueInspector(RabbitConnections connections) : IQueueInspector
{
    public async Task<bool> IsEmptyAsync(string queue, CancellationToken cancellationToken)
    {
        await using var connection = await connections.OpenAsync("watchdog", cancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var declared = await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
        return declared.MessageCount == 0;
    }
}

/// <summary>Opens connections beside those of the bus.</summary>
internal sealed class RabbitConnections(BrokerAddress address)
{
    public Task<IConnection> OpenAsync(string purpose, CancellationToken cancellationToken) =>
        new ConnectionFactory { Uri = address.Uri!, RequestedHeartbeat = TimeSpan.FromSeconds(10) }
            .CreateConnectionAsync($"Distributed {purpose}", cancellationToken);
}
