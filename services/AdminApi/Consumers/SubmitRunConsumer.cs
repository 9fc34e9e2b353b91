using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.Registry;
using MassTransit;

namespace Distributed.AdminApi.Consumers;

/// <summary>Accepts runs that come as messages, also as plain JSON from other languages.</summary>
internal sealed partial class SubmitRunConsumer(
    RunSubmission submission,
    RunRegister runs,
    RunEventPublisher publisher,
    CatalogMigration catalog,
    OutageRetry outages,
    ILogger<SubmitRunConsumer> logger
) : IConsumer<SubmitRun>
{
    public async Task Consume(ConsumeContext<SubmitRun> context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var message = context.Message;
        if (message.RunId == Guid.Empty)
        {
            // Without an id there is neither a run nor a sender to answer.
            LogNoId("""{"runId": UUID, "specification": {...}}""");
            return;
        }

        await catalog.Ready.WaitAsync(context.CancellationToken);
        if (RunSpecificationReader.Read(message.Specification, out var errors) is not { } specification)
        {
            await outages.RunAsync(token => RefuseAsync(message.RunId, errors, token), context.CancellationToken);
            return;
        }

        try
        {
            var (outcome, _) = await outages.RunAsync(
                token => submission.SubmitAsync(message.RunId, specification, idempotencyKey: null, AuditActor.Message, token),
                context.CancellationToken
            );
            if (outcome == SubmitOutcome.Conflict)
            {
                using var scope = logger.BeginRun(message.RunId, traceParent: null);
                LogConflict();
            }
        }
        catch (RegistryException wrong)
        {
            await outages.RunAsync(
                token => RefuseAsync(message.RunId, [PredictionSettings.Describe(wrong)], token),
                context.CancellationToken
            );
        }
    }

    private async Task RefuseAsync(Guid runId, IReadOnlyList<SpecificationError> errors, CancellationToken cancellationToken)
    {
        // The sender has no answer to read, so the refusal stands where the run would, and is published as an event.
        var reason = "The specification is not valid: " + string.Join(" ", errors.Select(error => $"{error.Field} {error.Message}."));
        await runs.RefuseAsync(runId, reason, cancellationToken);
        await publisher.PublishAsync(cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A submitted message has no runId and is dropped; a submission is {Submission}")]
    private partial void LogNoId(string submission);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run was submitted again with another specification; the first one stands")]
    private partial void LogConflict();
}
