using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Pipeline;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Listing;

/// <summary>
/// Lists runs. First the page's identities are found, by a range of an index where the order has one; then what is shown of these runs is read, and the
/// progress of those that are open: three questions whatever the length of the page.
/// </summary>
internal sealed class RunList(IDbContextFactory<CatalogContext> contexts)
{
    /// <summary>A page of runs.</summary>
    /// <param name="query">Which, and in which order.</param>
    /// <param name="after">Where the page before ended; null for the first page.</param>
    /// <param name="limit">Most runs.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<RunPage> ReadAsync(RunListQuery query, RunPosition? after, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var positions = await FindAsync(context, query, after, limit + 1, cancellationToken);
        var page = positions.Take(limit).ToList();
        var rows = await SummarizeAsync(context, [.. page.Select(position => position.Id)], cancellationToken);
        return new RunPage(
            [.. page.Where(position => rows.ContainsKey(position.Id)).Select(position => rows[position.Id])],
            positions.Count > limit ? new RunCursor(query.Sort, page[^1].Value, page[^1].Id).Write() : null
        );
    }

    /// <summary>What lists show of some runs.</summary>
    public static async Task<Dictionary<Guid, RunSummary>> SummarizeAsync(
        CatalogContext context,
        IReadOnlyList<Guid> runs,
        CancellationToken cancellationToken
    )
    {
        var columns = await RunColumns
            .Of(context, context.Runs.Where(run => runs.Contains(run.Id)))
            .AsNoTracking()
            .ToListAsync(cancellationToken);
        var progress = await RunStages.MeasureAsync(
            context,
            [.. columns.Where(row => !row.State.IsFinal()).Select(row => row.ToOpenRun())],
            cancellationToken
        );
        return columns.ToDictionary(row => row.RunId, row => row.ToSummary(progress.GetValueOrDefault(row.RunId)));
    }

    private static async Task<List<RunPosition>> FindAsync(
        CatalogContext context,
        RunListQuery query,
        RunPosition? after,
        int count,
        CancellationToken cancellationToken
    )
    {
        var found = new List<RunPosition>();
        if (after is null or { Value: not null })
        {
            var rows = Filter(query.OrderBy.Source == RunFieldSource.Metric ? Evaluated(context) : Joined(context, query), query);
            rows = query.OrderBy.IsAlwaysThere ? rows : query.OrderBy.WithValue(rows);
            found = await query.OrderBy.ReadAsync(rows, after, query.IsDescending, count, cancellationToken);
        }

        if (found.Count < count && query.MayLackValue)
        {
            // Those without a value come last, the latest first.
            var rows = query.OrderBy.WithoutValue(Filter(Joined(context, query), query));
            if (after is { Value: null, Id: var last })
            {
                rows = rows.Where(row => row.Id.CompareTo(last) < 0);
            }

            var others = rows.OrderByDescending(row => row.Id).Select(row => row.Id).Take(count - found.Count);
            found.AddRange((await others.ToListAsync(cancellationToken)).Select(id => new RunPosition(Value: null, id)));
        }

        return found;
    }

    private static IQueryable<RunRow> Filter(IQueryable<RunRow> rows, RunListQuery query) =>
        query.Conditions.Aggregate(rows, (some, condition) => some.Where(condition.Predicate));

    /// <summary>All runs, with their results where the query asks for one.</summary>
    private static IQueryable<RunRow> Joined(CatalogContext context, RunListQuery query) =>
        query.UsesMetrics
            ? from run in context.Runs
            join evaluation in context.Evaluations on run.Id equals evaluation.RunId into evaluations
            from evaluation in evaluations.DefaultIfEmpty()
            select new RunRow
            {
                Id = run.Id,
                Run = run,
                DatasetSha256 = run.DatasetSha256,
                Evaluation = evaluation,
            }
            : context.Runs.Select(run => new RunRow
            {
                Id = run.Id,
                Run = run,
                DatasetSha256 = run.DatasetSha256,
            });

    /// <summary>Runs with a result, from the results on, whose indices have the order. Runs are joined only where a condition needs them.</summary>
    private static IQueryable<RunRow> Evaluated(CatalogContext context) =>
        context.Evaluations.Select(evaluation => new RunRow
        {
            Id = evaluation.RunId,
            Run = evaluation.Run!,
            DatasetSha256 = evaluation.DatasetSha256,
            Evaluation = evaluation,
        });
}
