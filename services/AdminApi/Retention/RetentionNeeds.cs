using Distributed.Catalog;

namespace Distributed.AdminApi.Retention;

/// <summary>The one place that decides what is needed, and so never collected, however old it is.</summary>
internal static class RetentionNeeds
{
    /// <summary>Feature sets that an open run needs, or a version of a model: its predictions are explained by its training images.</summary>
    public static IQueryable<FeatureSet> NeededFeatureSets(this CatalogContext context)
    {
        var needed = context.OpenDemands;
        return context.FeatureSets.Where(set =>
            needed.Any(demand => demand.Scope == set.Key)
            || context.ModelVersions.Any(version => context.Runs.Any(run => run.Id == version.RunId && run.FeatureSetKey == set.Key))
        );
    }

    /// <summary>Ingestions that an open run needs, itself or through the features that are computed from them.</summary>
    public static IQueryable<Ingestion> NeededIngestions(this CatalogContext context)
    {
        var needed = context.OpenDemands;
        var sets = context.NeededFeatureSets();
        return context.Ingestions.Where(ingestion =>
            needed.Any(demand => demand.Scope == ingestion.Key) || sets.Any(set => set.IngestionKey == ingestion.Key)
        );
    }

    /// <summary>
    /// Checkpoints that are not needed: of a run that has ended, and followed by a later one of their kind. The last state and the
    /// best head of every trial stay.
    /// </summary>
    public static IQueryable<Checkpoint> SupersededCheckpoints(this CatalogContext context) =>
        context.Checkpoints.Where(checkpoint =>
            context.Runs.Any(run => run.Id == checkpoint.RunId && !RunStates.Open.Contains(run.State))
            && context.Checkpoints.Any(later =>
                later.RunId == checkpoint.RunId
                && later.Trial == checkpoint.Trial
                && later.Kind == checkpoint.Kind
                && later.Slice > checkpoint.Slice
            )
        );
}
