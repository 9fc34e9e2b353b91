using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Pipeline;

/// <summary>Runs that wait for a stage.</summary>
public static class RunsWaiting
{
    /// <summary>The runs of a state, each with the scopes that it needs and in which a stage has jobs.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="state">The state.</param>
    /// <param name="kind">The stage that they wait for.</param>
    public static IQueryable<WaitingRun> WaitingFor(this CatalogContext catalog, RunState state, string kind)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return catalog
            .Runs.Where(run => run.State == state)
            .Join(
                catalog.RunDependencies,
                run => run.Id,
                need => need.RunId,
                (run, need) => new WaitingRun { RunId = run.Id, Scope = need.Scope }
            )
            .Where(waiting => catalog.Jobs.Any(job => job.Kind == kind && job.Scope == waiting.Scope));
    }
}
