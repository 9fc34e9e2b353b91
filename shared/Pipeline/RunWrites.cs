using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>What is written with a run's transitions.</summary>
internal static class RunWrites
{
    /// <summary>The run has the data set that its ingestion found.</summary>
    public static Task SetDatasetAsync(CatalogContext catalog, WaitingRun waiting, CancellationToken cancellationToken)
    {
        var found = catalog.Ingestions.Where(row => row.Key == waiting.Scope).Select(row => row.DatasetSha256);
        return catalog
            .Runs.Where(run => run.Id == waiting.RunId)
            .ExecuteUpdateAsync(run => run.SetProperty(r => r.DatasetSha256, _ => found.First()), cancellationToken);
    }
}
