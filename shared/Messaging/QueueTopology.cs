using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>
/// Declares every queue in every host, so that no message is ever sent where nothing keeps it, whichever host starts first.
/// A host whose user may not declare another's queue waits until that is there (see <see cref="BrokerPermissions"/>).
/// </summary>
internal sealed partial class QueueTopology(
    JobStages stages,
    RabbitConnections connections,
    BusGate gate,
    TimeProvider time,
    ILogger<QueueTopology> logger
) : BackgroundService
{
    /// <summary>Where runs are submitted by message.</summary>
    public const string SubmitRunQueue = "submit-run";

    /// <summary>A message that is delivered this often without being acknowledged kills its consumers; it is dead-lettered.</summary>
    public const int DeliveryLimit = 20;

    /// <summary>Longer than a busy broker takes for all of them.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>The exchanges of the events that others may subscribe to.</summary>
    public static IReadOnlyList<string> Events { get; } =
    [
        .. new[] { typeof(RunEvaluated), typeof(RunPredicted), typeof(RunCompared), typeof(RunFailed), typeof(RunCancelled) }.Select(type =>
            $"{type.Namespace}:{type.Name}"
        ),
    ];

    public static string DeadLetterExchange(string queue) => $"{queue}-dead-letter";

    public static Dictionary<string, object?> Arguments(string queue) =>
        new(StringComparer.Ordinal)
        {
            ["x-queue-type"] = "quorum",
            ["x-delivery-limit"] = DeliveryLimit,
            ["x-dead-letter-exchange"] = DeadLetterExchange(queue),
        };

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var reminder = new Reminder(time);
        while (true)
        {
            string cause;
            try
            {
                await time.RunAsync(Patience, DeclareAsync, stoppingToken);
                gate.TopologyDeclared();
                return;
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
            {
                cause =
                    "A queue is not there yet, and this host's user may not declare it. AdminApi declares all of them when it starts; this host waits for it.";
                gate.Waiting = cause;
            }
            catch (Exception exception) when (IsOutage(exception) && !stoppingToken.IsCancellationRequested)
            {
                cause = $"The broker cannot be reached: {exception.InnerException?.Message ?? exception.Message}";
                gate.Waiting = null;
            }

            if (reminder.IsDue(cause))
            {
                LogWaiting(cause);
            }

            await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken);
        }
    }

    /// <summary>Also a connection that breaks, or a broker that falls silent, in the middle of it; but not a queue that is there with other arguments.</summary>
    private static bool IsOutage(Exception exception) =>
        exception is OperationInterruptedException { ShutdownReason: { } reason }
            ? reason.ReplyCode is not (Constants.PreconditionFailed or Constants.AccessRefused)
            : exception is RabbitMQClientException or IOException or TimeoutException or OperationCanceledException;

    private async Task DeclareAsync(CancellationToken cancellationToken)
    {
        await using var connection = await connections.OpenAsync("topology", cancellationToken);
        foreach (var queue in stages.All.SelectMany(stage => stage.Queues).Append(SubmitRunQueue))
        {
            try
            {
                // A channel each, since a refusal closes it.
                await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
                var deadLetter = DeadLetterExchange(queue);
                await BindAsync(
                    channel,
                    deadLetter,
                    new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-queue-type"] = "quorum" },
                    cancellationToken
                );
                await BindAsync(channel, queue, Arguments(queue), cancellationToken);
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.AccessRefused)
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
                await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
            }
        }

        foreach (var queue in RequestKind.All)
        {
            try
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
                await BindAsync(channel, queue.Name, RequestKind.Arguments, cancellationToken);
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.AccessRefused)
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
                await channel.QueueDeclarePassiveAsync(queue.Name, cancellationToken);
            }
        }

        await using var events = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        foreach (var exchange in Events)
        {
            await events.ExchangeDeclareAsync(
                exchange,
                ExchangeType.Fanout,
                durable: true,
                autoDelete: false,
                cancellationToken: cancellationToken
            );
        }
    }

    private static async Task BindAsync(
        IChannel channel,
        string name,
        Dictionary<string, object?> arguments,
        CancellationToken cancellationToken
    )
    {
        await channel.ExchangeDeclareAsync(
            name,
            ExchangeType.Fanout,
            durable: true,
            autoDelete: false,
            cancellationToken: cancellationToken
        );
        await channel.QueueDeclareAsync(
            name,
            durable: true,
            exclusive: false,
            autoDelete: false,
            arguments,
            cancellationToken: cancellationToken
        );
        await channel.QueueBindAsync(name, name, routingKey: "", cancellationToken: cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Waiting, and trying every few seconds. {Cause}")]
    private partial void LogWaiting(string cause);
}
