using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Distributed.Messaging;

/// <summary>
/// Reads dead letters: messages whose handling failed, that no consumer knew, or that were delivered too
/// often. Where one names a job, that counts as an attempt: the job is sent again, or in the end fails its runs with the reason
/// found here. Where one names a run, the run fails. What names neither is kept for people in the catalog.
/// </summary>
internal sealed partial class DeadLetterProcessor(
    RabbitConnections connections,
    JobStore store,
    JobStages stages,
    RunRegister runs,
    IDbContextFactory<CatalogContext> contexts,
    JobDispatcher dispatcher,
    RunEventPublisher publisher,
    CatalogMigration catalog,
    BusGate gate,
    TimeProvider time,
    OutageRetry outages,
    ILogger<DeadLetterProcessor> logger
) : BackgroundService
{
    /// <summary>Far longer than any message of ours.</summary>
    private const int LongestBody = 1 << 20;

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
                        queue,
                        suffix,
                        reason,
                        (message, why, token) => HandleJobAsync(stage.Kind, message, why, token),
                        cancellationToken
                    );
                }
            }

            await ReadAsync(connection, QueueTopology.SubmitRunQueue, suffix, reason, HandleSubmissionAsync, cancellationToken);
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
        string of,
        string suffix,
        Func<IReadOnlyBasicProperties, string> describe,
        Func<BasicGetResult, string, CancellationToken, Task<string?>> handle,
        CancellationToken cancellationToken
    )
    {
        var queue = of + suffix;
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
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
            var reason = describe(message.BasicProperties);
            var outcome = await handle(message, reason, cancellationToken);
            if (outcome is null)
            {
                outcome = "invalid";
                LogUnreadable(queue);
                await KeepAsync(of, message, reason, cancellationToken);
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

    /// <summary>In the catalog, where people see it and can requeue it.</summary>
    private async Task KeepAsync(string queue, BasicGetResult message, string reason, CancellationToken cancellationToken)
    {
        var body = message.Body.ToArray();
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.DeadLetters.Add(
            new DeadLetter
            {
                Id = Guid.CreateVersion7(),
                At = time.GetUtcNow().UtcDateTime,
                Reason =
                    $"It names neither job nor run; {reason}."
                    + (body.Length > LongestBody ? $" Of its {body.Length} bytes the first {LongestBody} are kept." : ""),
                Queue = queue,
                Body = body.Length > LongestBody ? body[..LongestBody] : body,
                ContentType = message.BasicProperties.ContentType,
            }
        );
        await context.SaveChangesAsync(cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The message of {Job} was dead-lettered: {Reason}. {Outcome}")]
    private partial void LogRecorded(JobKey job, string reason, DeliveryFailure outcome);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "A message in the queue {Queue} names neither job nor run; GET /api/v1/dead-letters shows it"
    )]
    private partial void LogUnreadable(string queue);

    [LoggerMessage(Level = LogLevel.Error, Message = "Dead-lettered messages could not be read")]
    private partial void LogFailed(Exception exception);
}
