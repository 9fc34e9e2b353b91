using Distributed.Storage;
using MassTransit;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>Recognises whether an error is the broker's absence, which passes.</summary>
internal static class BrokerOutage
{
    public static bool Is(Exception exception) =>
        exception is ConnectionException or TransportException or RabbitMQClientException
        || (
            exception is IOException and not (StoredFileException or FileNotFoundException or DirectoryNotFoundException)
            && VolumeOutage.IsOfConnection(exception)
        );
}
