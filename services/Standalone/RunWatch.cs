using System.Diagnostics;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;

namespace Distributed.Standalone;

/// <summary>Watches runs to their end.</summary>
internal sealed class RunWatch(RunQueries queries, RunDisplay display)
{
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(1);

    private readonly long _started = Stopwatch.GetTimestamp();

    /// <summary>Shows a run until it has ended; earlier unfinished runs on the volume are waited for as well.</summary>
    public Task<RunDetail> UntilEndAsync(Guid runId, CancellationToken cancellationToken) =>
        display.ShowProgressAsync(async report =>
        {
            await WaitForOthersAsync(runId, report, cancellationToken);
            while (true)
            {
                var detail =
                    await queries.FindAsync(runId, cancellationToken)
                    ?? throw new CommandException($"Run {runId:D} is no longer in the catalog.");
                report(detail);
                if (detail.Summary.State.IsFinal())
                {
                    return detail;
                }

                await PauseAsync(cancellationToken);
            }
        });

    private async Task WaitForOthersAsync(Guid runId, Action<RunDetail> report, CancellationToken cancellationToken)
    {
        var others = (await queries.ListOpenAsync(cancellationToken)).Where(id => id != runId).ToList();
        if (others.Count == 0)
        {
            return;
        }

        display.ShowLine($"Going on with {others.Count} unfinished {(others.Count == 1 ? "run" : "runs")} of this volume first.");
        foreach (var other in others)
        {
            while (await queries.FindAsync(other, cancellationToken) is { } detail && !detail.Summary.State.IsFinal())
            {
                report(detail);
                await PauseAsync(cancellationToken);
            }
        }
    }

    /// <summary>Longer and longer: looking takes the cores from what is looked at.</summary>
    private Task PauseAsync(CancellationToken cancellationToken)
    {
        var share = Stopwatch.GetElapsedTime(_started) / 50;
        return Task.Delay(
            share < ShortestInterval ? ShortestInterval
                : share < LongestInterval ? share
                : LongestInterval,
            cancellationToken
        );
    }
}
