using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Distributed.Messaging;

/// <summary>Publishes the final event of every run that has ended, at least once, and logs it once.</summary>
public sealed partial class RunEventPublisher(
    IDbContextFactory<CatalogContext> contexts,
    IBus bus,
    TimeProvider time,
    ILogger<RunEventPublisher> logger
) : ICompletionPublisher, IWatchdogTask
{
    private const int MostAtOnce = 100;

    /// <inheritdoc />
    public Task RunAsync(CancellationToken cancellationToken) => PublishAsync(cancellationToken);

    /// <inheritdoc />
    public async Task PublishAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ended = await context
            .Runs.AsNoTracking()
            .Where(run => run.FinishedAt != null && run.EndPublishedAt == null)
            .OrderBy(run => run.FinishedAt)
            .Take(MostAtOnce)
            .ToListAsync(cancellationToken);
        foreach (var run in ended)
        {
            using var trace = JobTelemetry.ContinueTrace("publish run end", run.TraceParent);
            var evaluation =
                run.State == RunState.Completed
                    ? await context.Evaluations.AsNoTracking().SingleAsync(e => e.RunId == run.Id, cancellationToken)
                    : null;
            await PublishAsync(run, evaluation, cancellationToken);
            var now = time.GetUtcNow().UtcDateTime;
            // A run that was retried meanwhile will end again. Of several hosts that publish its end, one counts and logs it.
            if (
                await context
                    .Runs.Where(row => row.Id == run.Id && row.FinishedAt == run.FinishedAt && row.EndPublishedAt == null)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.EndPublishedAt, now), cancellationToken) == 1
            )
            {
                MessagingTelemetry.RecordEnd(run);
                Log(run, evaluation);
            }
        }
    }

    private void Log(Run run, Evaluation? evaluation)
    {
        using var scope = logger.BeginRun(run.Id, run.TraceParent);
        var seconds = Run.SecondsBetween(run.SubmittedAt, run.FinishedAt);
        switch (run.State)
        {
            case RunState.Completed:
                LogCompleted(evaluation!.TestAccuracy, evaluation.TestImages, seconds);
                break;
            case RunState.Failed:
                LogFailed(seconds, run.Failure);
                break;
            default:
                LogCancelled(seconds);
                break;
        }
    }

    private async Task PublishAsync(Run run, Evaluation? evaluation, CancellationToken cancellationToken)
    {
        switch (run.State)
        {
            case RunState.Completed:
                var evaluated = new RunEvaluated(
                    run.Id,
                    run.Name,
                    evaluation!.TestAccuracy,
                    evaluation.TestAccuracyLow,
                    evaluation.TestAccuracyHigh,
                    evaluation.TestImages,
                    evaluation.Report?.Path
                );
                await time.SendAsync(token => bus.Publish(evaluated, token), cancellationToken);
                break;
            case RunState.Failed:
                await time.SendAsync(token => bus.Publish(new RunFailed(run.Id, run.Name, run.Failure ?? ""), token), cancellationToken);
                break;
            default:
                await time.SendAsync(token => bus.Publish(new RunCancelled(run.Id, run.Name), token), cancellationToken);
                break;
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Run completed: accuracy {Accuracy:P1} on {Images} test images, after {Seconds:F1} s"
    )]
    private partial void LogCompleted(double accuracy, int images, double? seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run failed after {Seconds:F1} s: {Reason}")]
    private partial void LogFailed(double? seconds, string? reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run cancelled after {Seconds:F1} s")]
    private partial void LogCancelled(double? seconds);
}
