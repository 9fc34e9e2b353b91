using Distributed.Jobs;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>The bus inside the process loses nothing as long as the process lives: there are always messages, and a consumer.</summary>
internal sealed class InMemoryQueueInspector : IQueueInspector
{
    public Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<string, QueueStatistics>>(
            queues.ToDictionary(queue => queue, _ => new QueueStatistics(1, 1), StringComparer.Ordinal)
        );
}

/// <summary>Asks RabbitMQ.</summary>
internal sealed class RabbitQueueInspector(RabbitConnections connections) : IQueueInspector
{
    public async Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await connections.OpenAsync("queue inspector", cancellationToken);
        var statistics = new Dictionary<string, QueueStatistics>(StringComparer.Ordinal);
        foreach (var queue in queues)
        {
            statistics[queue] = await InspectAsync(connection, queue, cancellationToken);
        }

        return statistics;
    }

    private static async Task<QueueStatistics> InspectAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        // A channel each, since a refusal closes it.
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            var declared = await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
            return new QueueStatistics(declared.MessageCount, declared.ConsumerCount);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return new QueueStatistics(0, 0);
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
            // A caller that has lost one opens another.
            AutomaticRecoveryEnabled = false,
        };
        return factory.CreateConnectionAsync($"Distributed {purpose}", cancellationToken);
    }
}
