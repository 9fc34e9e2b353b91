using Distributed.Catalog;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.Storage;

namespace Distributed.AdminApi;

/// <summary>What operators do to runs. The catalog's row decides; events and messages follow from it, and the watchdog sends those that could not be sent.</summary>
internal sealed partial class RunOperations(
    RunControl control,
    RunEventPublisher publisher,
    JobDispatcher dispatcher,
    Volume volume,
    ILogger<RunOperations> logger
)
{
    // The caller has an answer in seconds, also while the broker is away.
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(2);

    public async Task<bool> CancelAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        using var scope = logger.BeginRun(runId, traceParent: null);
        var cancelled = await control.CancelAsync(runId, actor, cancellationToken);
        await SendAsync(publisher.PublishAsync, cancellationToken);
        return cancelled;
    }

    public async Task<RetryOutcome> RetryAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        using var scope = logger.BeginRun(runId, traceParent: null);
        var outcome = await control.RetryAsync(runId, actor, cancellationToken);
        if (outcome == RetryOutcome.Reopened)
        {
            LogRetried(actor.Name);
            await SendAsync(
                async token => await dispatcher.SendAsync(await control.ScopesAsync(runId, token), again: false, token),
                cancellationToken
            );
        }

        return outcome;
    }

    public async Task<DeleteOutcome> DeleteAsync(Guid runId, AuditActor actor, CancellationToken cancellationToken)
    {
        using var scope = logger.BeginRun(runId, traceParent: null);
        var outcome = await control.DeleteAsync(runId, actor, cancellationToken);
        if (outcome == DeleteOutcome.EndUnpublished)
        {
            await SendAsync(publisher.PublishAsync, cancellationToken);
            outcome = await control.DeleteAsync(runId, actor, cancellationToken);
        }

        if (outcome == DeleteOutcome.Deleted)
        {
            DeleteFiles(runId);
        }

        return outcome;
    }

    private async Task SendAsync(Func<CancellationToken, Task> send, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(SendTimeout);
        try
        {
            await send(timeout.Token);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            LogNotSent(exception);
        }
    }

    private void DeleteFiles(Guid runId)
    {
        try
        {
            Directory.Delete(volume.FullPath($"runs/{runId:D}"), recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // It ended before it had any.
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The catalog knows nothing of them any more, so they are orphans as those of a killed worker are.
            LogFilesLeft(exception);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Run goes on from the stage in which it ended, as {Actor} asked for")]
    private partial void LogRetried(string actor);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What follows from the change of the run could not be sent; the watchdog will")]
    private partial void LogNotSent(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run is deleted, and files of it are left on the volume")]
    private partial void LogFilesLeft(Exception exception);
}
