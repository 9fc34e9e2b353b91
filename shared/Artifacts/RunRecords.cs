using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Artifacts;

/// <summary>Reads runs from the catalog.</summary>
public static class RunRecords
{
    /// <summary>The run of a run's own job, with its specification.</summary>
    public static async Task<(Run Run, RunSpecification Specification)> ReadRunAsync(
        this IDbContextFactory<CatalogContext> contexts,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(contexts);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleAsync(row => row.Id == runId, cancellationToken);
        return (run, run.ReadSpecification());
    }
}
