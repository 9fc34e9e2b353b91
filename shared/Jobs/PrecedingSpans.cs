using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Jobs;

/// <summary>Finds the spans of what a job goes on from, so that its own span can link to them: other workers did that, and their spans are no parents of it.</summary>
/// <param name="stages">The system's stages.</param>
/// <param name="contexts">The database.</param>
/// <param name="outages">Waits for the database.</param>
public sealed class PrecedingSpans(JobStages stages, IDbContextFactory<JobsContext> contexts, OutageRetry outages)
{
    /// <summary>As many links as a span has by the limits of OpenTelemetry's specification.</summary>
    private const int MostLinks = 128;

    /// <summary>Links a job's span to them. Only where the span is recorded, as it costs a query.</summary>
    public async Task LinkAsync(Activity? span, JobKey job, CancellationToken cancellationToken)
    {
        if (span is not { IsAllDataRequested: true })
        {
            return;
        }

        foreach (var preceding in await outages.RunAsync(token => FindAsync(job, token), cancellationToken))
        {
            if (ActivityContext.TryParse(preceding, traceState: null, isRemote: true, out var context))
            {
                span.AddLink(new ActivityLink(context));
            }
        }
    }

    /// <summary>
    /// Finds them: of a slice that of the slice before; of what follows a fan-out those of all its jobs, and of what follows a
    /// chain that of its last slice.
    /// </summary>
    /// <returns>W3C trace contexts; none where nobody traced what went before.</returns>
    public async Task<IReadOnlyList<string>> FindAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return Before(context, job) is not { } before
            ? []
            : await context
                .Attempts.Where(attempt =>
                    attempt.Outcome == AttemptOutcome.Done && attempt.Span != null && before.Any(row => row.Id == attempt.JobId)
                )
                .OrderBy(attempt => attempt.EndedAt)
                .Select(attempt => attempt.Span!)
                .Take(MostLinks)
                .ToListAsync(cancellationToken);
    }

    private IQueryable<Job>? Before(JobsContext context, JobKey job)
    {
        var stage = stages.For(job.Kind);
        var jobs = context.Jobs;
        if (stage.IsChain && job.Step > 0)
        {
            return jobs.Where(row => row.Kind == job.Kind && row.Scope == job.Scope && row.Step == job.Step - 1);
        }

        if (stage.FollowsAllOf?.Kind is { } followed)
        {
            return jobs.Where(row => row.Kind == followed && row.Scope == job.Scope);
        }

        if (stage.After.Count == 0 || JobKey.RunIdOf(job.Scope) is not { } runId)
        {
            return null;
        }

        var (all, chains) = (Kinds(isChain: false), Kinds(isChain: true));
        var needed = context.OpenDemands.Where(demand => demand.RunId == runId);
        return jobs.Where(row =>
            needed.Any(demand => demand.Scope == row.Scope)
            && (
                all.Contains(row.Kind)
                || (
                    chains.Contains(row.Kind)
                    && !jobs.Any(later => later.Kind == row.Kind && later.Scope == row.Scope && later.Step > row.Step)
                )
            )
        );

        List<string> Kinds(bool isChain) => [.. stage.After.Where(one => one.IsChain == isChain).Select(one => one.Kind)];
    }
}
