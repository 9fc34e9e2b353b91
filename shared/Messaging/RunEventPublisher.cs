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
            var (message, log) = await DescribeEndAsync(context, run, cancellationToken);
            await time.SendAsync(token => bus.Publish(message, message.GetType(), token), cancellationToken);
            var now = time.GetUtcNow().UtcDateTime;
            // A run that was retried meanwhile will end again. Of several hosts that publish its end, one counts and logs it.
            if (
                await context
                    .Runs.Where(row => row.Id == run.Id && row.FinishedAt == run.FinishedAt && row.EndPublishedAt == null)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.EndPublishedAt, now), cancellationToken) == 1
            )
            {
                MessagingTelemetry.RecordEnd(run);
                using var scope = logger.BeginRun(run.Id, run.TraceParent);
                log(Run.SecondsBetween(run.SubmittedAt, run.FinishedAt));
            }
        }
    }

    /// <summary>The event of a run's end, and what logs it, given the seconds that the run took.</summary>
    private async Task<(object Message, Action<double?> Log)> DescribeEndAsync(
        CatalogContext context,
        Run run,
        CancellationToken cancellationToken
    )
    {
        switch (run)
        {
            case { State: RunState.Completed, Model: { } model }:
                var predicted = await context.DatasetPredictions.AsNoTracking().SingleAsync(row => row.RunId == run.Id, cancellationToken);
                return (
                    new RunPredicted(run.Id, run.Name, model, predicted.Images, predicted.Csv.Path, predicted.JsonLines.Path),
                    seconds => LogPredicted(predicted.Images, model, seconds)
                );
            case { State: RunState.Completed } when !await context.Trials.AnyAsync(row => row.RunId == run.Id, cancellationToken):
                // A run without trials has compared bases.
                var compared = await context
                    .Comparisons.Where(row => row.RunId == run.Id)
                    .Join(
                        context.ComparedBases,
                        row => new { row.RunId, row.Backbone },
                        row => new { row.RunId, row.Backbone },
                        (row, chosen) =>
                            new
                            {
                                row.Backbone,
                                row.Images,
                                Accuracy = chosen.Accuracy!.Value,
                            }
                    )
                    .SingleAsync(cancellationToken);
                return (
                    new RunCompared(run.Id, run.Name, compared.Backbone, compared.Accuracy, compared.Images),
                    seconds => LogCompared(compared.Backbone, compared.Accuracy, compared.Images, seconds)
                );
            case { State: RunState.Completed }:
                var evaluation = await context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id, cancellationToken);
                return (
                    new RunEvaluated(
                        run.Id,
                        run.Name,
                        evaluation.TestAccuracy,
                        evaluation.TestAccuracyLow,
                        evaluation.TestAccuracyHigh,
                        evaluation.TestImages,
                        evaluation.Report?.Path
                    ),
                    seconds => LogCompleted(evaluation.TestAccuracy, evaluation.TestImages, seconds)
                );
            case { State: RunState.Failed }:
                return (new RunFailed(run.Id, run.Name, run.Failure ?? ""), seconds => LogFailed(seconds, run.Failure));
            default:
                return (new RunCancelled(run.Id, run.Name), LogCancelled);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Run completed: accuracy {Accuracy:P1} on {Images} test images, after {Seconds:F1} s"
    )]
    private partial void LogCompleted(double accuracy, int images, double? seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run completed: {Images} images predicted with {Model}, after {Seconds:F1} s")]
    private partial void LogPredicted(int images, string model, double? seconds);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Run completed: {Backbone} is the base to take, accuracy {Accuracy:P1} on {Images} training images, after {Seconds:F1} s"
    )]
    private partial void LogCompared(string backbone, double accuracy, int images, double? seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run failed after {Seconds:F1} s: {Reason}")]
    private partial void LogFailed(double? seconds, string? reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Run cancelled after {Seconds:F1} s")]
    private partial void LogCancelled(double? seconds);
}
