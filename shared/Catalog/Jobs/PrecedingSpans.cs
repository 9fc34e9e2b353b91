using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Finds the spans of what a job goes on from, so that its own span can link to them: other workers did that, and their spans are no parents of it.</summary>
public static class PrecedingSpans
{
    /// <summary>As many links as a span has by the limits of OpenTelemetry's specification.</summary>
    private const int MostLinks = 128;

    /// <summary>
    /// Finds them: of a slice the slice before, of what begins when all of a fan-out is done every part or shard of that.
    /// </summary>
    /// <returns>W3C trace contexts; none where nobody traced what went before.</returns>
    public static async Task<IReadOnlyList<string>> FindPrecedingSpansAsync(
        this CatalogContext context,
        JobKey job,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(job);
        var scope = job.Scope;
        var before = job switch
        {
            { Kind: JobKind.DownloadFile or JobKind.TrainHead, Step: > 0 } => Of(job.Kind, scope).Where(row => row.Step == job.Step - 1),
            { Kind: JobKind.CompleteDataset } => Of(JobKind.PackImages, scope),
            { Kind: JobKind.TrainHead } => context.Jobs.Where(row =>
                row.Kind == JobKind.ExtractFeatures && context.Runs.Any(run => run.Id == job.RunId && run.FeatureSetKey == row.Scope)
            ),
            { Kind: JobKind.EvaluateHead } => Of(JobKind.TrainHead, scope).OrderByDescending(row => row.Step).Take(1),
            _ => null,
        };
        return before is null
            ? []
            : await context
                .Attempts.Where(attempt =>
                    attempt.Outcome == AttemptOutcome.Done && attempt.Span != null && before.Any(row => row.Id == attempt.JobId)
                )
                .OrderBy(attempt => attempt.EndedAt)
                .Select(attempt => attempt.Span!)
                .Take(MostLinks)
                .ToListAsync(cancellationToken);

        IQueryable<Job> Of(JobKind kind, string of) => context.Jobs.Where(row => row.Kind == kind && row.Scope == of);
    }
}
