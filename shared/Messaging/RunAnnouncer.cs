using Distributed.Catalog;
using Distributed.Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Messaging;

/// <summary>Publishes the final event of every run that has ended, at least once.</summary>
public sealed class RunAnnouncer(IDbContextFactory<CatalogContext> contexts, IBus bus, TimeProvider time)
{
    private const int MostAtOnce = 100;

    /// <summary>Publishes what has not been published yet.</summary>
    public async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ended = await context.Runs.AsNoTracking()
            .Where(run => run.FinishedAt != null && run.AnnouncedAt == null)
            .OrderBy(run => run.FinishedAt)
            .Take(MostAtOnce)
            .ToListAsync(cancellationToken);
        foreach (var run in ended)
        {
            using var trace = MessagingTelemetry.ContinueTrace("announce run", run.TraceParent);
            await PublishAsync(context, run, cancellationToken);
            var now = time.GetUtcNow().UtcDateTime;
            // A run that was retried meanwhile will end again. Of several hosts that publish its end, one counts it.
            if (await context.Runs
                .Where(row => row.Id == run.Id && row.FinishedAt == run.FinishedAt && row.AnnouncedAt == null)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.AnnouncedAt, now), cancellationToken) == 1)
            {
                MessagingTelemetry.RecordEnd(run);
            }
        }
    }

    private async Task PublishAsync(CatalogContext context, Run run, CancellationToken cancellationToken)
    {
        switch (run.State)
        {
            case RunState.Completed:
                var evaluation = await context.Evaluations.AsNoTracking().SingleAsync(e => e.RunId == run.Id, cancellationToken);
                var evaluated = new RunEvaluated(
                    run.Id,
                    run.Name,
                    evaluation.TestAccuracy,
                    evaluation.TestAccuracyLow,
                    evaluation.TestAccuracyHigh,
                    evaluation.TestImages,
                    evaluation.Report?.Path);
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
}
