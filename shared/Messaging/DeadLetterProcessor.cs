using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Pipeline;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>
/// Reads dead letters: messages whose handling failed, that no consumer knew, or that were delivered too
/// often. Where one names a job, that counts as an attempt: the job is sent again, or in the end fails its runs with the reason
/// found here. Where one names a run, the run fails. What names neither is kept for people in one queue.
/// </summary>
internal sealed partial class DeadLetterProcessor(
    RabbitConnections connections,
    JobStore store,
    JobStages stages,
    RunRegister runs,
    JobDispatcher dispatcher,
    RunEventPublisher publisher,
    CatalogMigration catalog,
    BusGate gate,
    TimeProvider time,
    OutageRetry outages,
    ILogger<DeadLetterProcessor> logger
) : BackgroundService
{
    /// <summary>Where messages are kept that nobody can read.</summary>
    public const string UnreadableQueue = "unreadable";

    /// <summary>Enough to find the cause; older ones give way.</summary>
    private const int MostKept = 10_000;

    private const int MostAtOnce = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Longer than any scan takes that makes progress.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(5);

    /// <summary>Suffixes of the queues, and what a message in one has met with.</summary>
    private static readonly (string Suffix, Func<IReadOnlyBasicProperties, string> Reason)[] Queues =
    [
        (
            "_error",
            properties =>
                $"its message could not be handled: {Header(properties, "MT-Fault-ExceptionType")}: {Header(properties, "MT-Fault-Message")}"
        ),
        ("_skipped", _ => "no consumer knew its message; are all hosts of the same version?"),
        ("-dead-letter", _ => $"its message was delivered {QueueTopology.DeliveryLimit} times, and no worker lived to acknowledge it"),
    ];

    /// <summary>Scans once.</summary>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        await using var connection = await connections.OpenAsync("dead letters", cancellationToken);
        foreach (var (suffix, reason) in Queues)
        {
            foreach (var stage in stages.All)
            {
                foreach (var queue in stage.Queues)
                {
                    await ReadAsync(
                        connection,
                        queue + suffix,
                        (message, token) => HandleJobAsync(stage.Kind, message, reason(message.BasicProperties), token),
                        cancellationToken
                    );
                }
            }

            await ReadAsync(
                connection,
                QueueTopology.SubmitRunQueue + suffix,
                (message, token) => HandleSubmissionAsync(message, reason(message.BasicProperties), token),
                cancellationToken
            );
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await catalog.Ready.WaitAsync(stoppingToken);
        await gate.Open.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await outages.RunAsync(token => time.RunAsync(Timeout, ScanAsync, token), stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(exception);
            }
        }
    }

    private static string Header(IReadOnlyBasicProperties properties, string name) =>
        (properties.Headers is { } headers && headers.TryGetValue(name, out var found) ? found : null) switch
        {
            byte[] text => Encoding.UTF8.GetString(text),
            { } value => value.ToString() ?? "",
            null => "unknown",
        };

    /// <summary>The fields of a message, in MassTransit's envelope or plain.</summary>
    private static JsonElement? Parse(BasicGetResult message)
    {
        try
        {
            using var document = JsonDocument.Parse(message.Body);
            var root = document.RootElement.Clone();
            return root.ValueKind != JsonValueKind.Object ? null
                : root.TryGetProperty("message", out var inner) && inner.ValueKind == JsonValueKind.Object ? inner
                : root;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task ReadAsync(
        IConnection connection,
        string queue,
        Func<BasicGetResult, CancellationToken, Task<string?>> handle,
        CancellationToken cancellationToken
    )
    {
        var options = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        await using var channel = await connection.CreateChannelAsync(options, cancellationToken);
        try
        {
            if (await channel.MessageCountAsync(queue, cancellationToken) == 0)
            {
                return;
            }
        }
        catch (OperationInterruptedException)
        {
            // The bus makes some of them when it first needs them.
            return;
        }

        for (
            var read = 0;
            read < MostAtOnce && await channel.BasicGetAsync(queue, autoAck: false, cancellationToken) is { } message;
            read++
        )
        {
            var outcome = await handle(message, cancellationToken);
            if (outcome is null)
            {
                outcome = "invalid";
                LogUnreadable(queue, UnreadableQueue);
                await KeepAsync(channel, message, cancellationToken);
            }

            MessagingTelemetry.RecordDeadLetter(queue, outcome);
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellationToken);
        }
    }

    /// <returns>What was done; null when the message names no job.</returns>
    private async Task<string?> HandleJobAsync(string kind, BasicGetResult message, string reason, CancellationToken cancellationToken)
    {
        if (
            Parse(message) is not { } fields
            || !fields.TryGetProperty("scope", out var scope)
            || scope.ValueKind != JsonValueKind.String
            || !fields.TryGetProperty("step", out var step)
            || step.ValueKind != JsonValueKind.Number
            || !step.TryGetInt32(out var number)
        )
        {
            return null;
        }

        var job = new JobKey(kind, scope.GetString()!, number);
        var outcome = await store.RecordFailedDeliveryAsync(job, reason, cancellationToken);
        LogRecorded(job, reason, outcome);
        switch (outcome)
        {
            case DeliveryFailure.Recorded:
                await dispatcher.SendAsync([job.Scope], again: false, cancellationToken);
                return "resent";
            case DeliveryFailure.Failed:
                await publisher.PublishAsync(cancellationToken);
                return "run_failed";
            default:
                return "not_needed";
        }
    }

    /// <returns>What was done; null when the message names no run.</returns>
    private async Task<string?> HandleSubmissionAsync(BasicGetResult message, string reason, CancellationToken cancellationToken)
    {
        if (
            Parse(message) is not { } fields
            || !fields.TryGetProperty("runId", out var id)
            || id.ValueKind != JsonValueKind.String
            || !id.TryGetGuid(out var runId)
            || runId == Guid.Empty
        )
        {
            return null;
        }

        var outcome = await runs.RefuseAsync(
            runId,
            $"The run could not be accepted: {reason}. Submit it again under a new runId.",
            cancellationToken
        );
        await publisher.PublishAsync(cancellationToken);
        return outcome == SubmitOutcome.Created ? "run_failed" : "not_needed";
    }

    private static async Task KeepAsync(IChannel channel, BasicGetResult message, CancellationToken cancellationToken)
    {
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["x-queue-type"] = "quorum",
            ["x-max-length"] = MostKept,
        };
        await channel.QueueDeclareAsync(
            UnreadableQueue,
            durable: true,
            exclusive: false,
            autoDelete: false,
            arguments,
            cancellationToken: cancellationToken
        );
        await channel.ExchangeDeclareAsync(
            UnreadableQueue,
            ExchangeType.Fanout,
            durable: true,
            autoDelete: false,
            cancellationToken: cancellationToken
        );
        await channel.QueueBindAsync(UnreadableQueue, UnreadableQueue, routingKey: "", cancellationToken: cancellationToken);
        await channel.BasicPublishAsync(
            UnreadableQueue,
            routingKey: "",
            mandatory: true,
            new BasicProperties(message.BasicProperties) { Persistent = true },
            message.Body,
            cancellationToken
        );
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The message of {Job} was dead-lettered: {Reason}. {Outcome}")]
    private partial void LogRecorded(JobKey job, string reason, DeliveryFailure outcome);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "A message in the queue {Queue} names neither job nor run; it is kept in the queue {Kept}"
    )]
    private partial void LogUnreadable(string queue, string kept);

    [LoggerMessage(Level = LogLevel.Error, Message = "Dead-lettered messages could not be read")]
    private partial void LogFailed(Exception exception);
}
