using RabbitMQ.Client;

namespace Distributed.Messaging;

/// <summary>Sends a message that was given up once more.</summary>
public interface IMessageRequeue
{
    /// <summary>Sends it; completes when the broker keeps it.</summary>
    /// <param name="queue">The queue that it was in.</param>
    /// <param name="body">Its body.</param>
    /// <param name="contentType">What that is, as its sender said.</param>
    /// <param name="cancellationToken">Stops waiting for the broker.</param>
    Task SendAsync(string queue, byte[] body, string? contentType, CancellationToken cancellationToken);
}

/// <summary>Inside one process nobody sends a message that cannot be read.</summary>
internal sealed class InMemoryMessageRequeue : IMessageRequeue
{
    public Task SendAsync(string queue, byte[] body, string? contentType, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("This message came over a broker, and this host has none.");
}

/// <summary>Over RabbitMQ.</summary>
internal sealed class RabbitMessageRequeue(RabbitConnections connections) : IMessageRequeue
{
    public async Task SendAsync(string queue, byte[] body, string? contentType, CancellationToken cancellationToken)
    {
        await using var connection = await connections.OpenAsync("requeue", cancellationToken);
        var options = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        await using var channel = await connection.CreateChannelAsync(options, cancellationToken);
        var properties = new BasicProperties { Persistent = true, ContentType = contentType };
        // The exchange before a queue has its name.
        await channel.BasicPublishAsync(queue, routingKey: "", mandatory: true, properties, body, cancellationToken);
    }
}
