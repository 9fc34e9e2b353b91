using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Artifacts;

/// <summary>What extraction leaves on the volume, found through the catalog and verified.</summary>
public sealed class FeatureArtifacts(IDbContextFactory<CatalogContext> contexts, Volume volume)
{
    /// <summary>Full paths of all shards of a complete feature set, in order: together they hold one row an image of the manifest.</summary>
    /// <exception cref="StoredFileException">A shard is missing or damaged.</exception>
    public async Task<IReadOnlyList<string>> FindShardsAsync(string featureSetKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var shards = await context.FeatureShards.AsNoTracking()
            .Where(shard => shard.FeatureSetKey == featureSetKey)
            .OrderBy(shard => shard.Shard)
            .ToListAsync(cancellationToken);
        foreach (var shard in shards)
        {
            await volume.VerifyAsync(shard.File, cancellationToken);
        }

        return [.. shards.Select(shard => volume.FullPath(shard.File.Path))];
    }
}
