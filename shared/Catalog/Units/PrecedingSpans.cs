using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>Finds the spans of what a unit goes on from, so that its own span can link to them: other workers did that, and their spans are no parents of it.</summary>
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
        UnitKey unit,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(unit);
        var subject = unit.Subject;
        var before = unit switch
        {
            { Kind: UnitKind.DownloadFile or UnitKind.TrainHead, Step: > 0 } => Of(unit.Kind, subject)
                .Where(row => row.Step == unit.Step - 1),
            { Kind: UnitKind.CompleteDataset } => Of(UnitKind.PackImages, subject),
            { Kind: UnitKind.TrainHead } => context.WorkUnits.Where(row =>
                row.Kind == UnitKind.ExtractFeatures && context.Runs.Any(run => run.Id == unit.RunId && run.FeatureSetKey == row.Subject)
            ),
            { Kind: UnitKind.EvaluateHead } => Of(UnitKind.TrainHead, subject).OrderByDescending(row => row.Step).Take(1),
            _ => null,
        };
        return before is null
            ? []
            : await context
                .Attempts.Where(attempt =>
                    attempt.Outcome == AttemptOutcome.Done && attempt.Span != null && before.Any(row => row.Id == attempt.UnitId)
                )
                .OrderBy(attempt => attempt.EndedAt)
                .Select(attempt => attempt.Span!)
                .Take(MostLinks)
                .ToListAsync(cancellationToken);

        IQueryable<WorkUnit> Of(UnitKind kind, string of) => context.WorkUnits.Where(row => row.Kind == kind && row.Subject == of);
    }
}
