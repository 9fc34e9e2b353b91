using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Artifacts;

/// <summary>What extraction leaves on the volume, found through the catalog and verified.</summary>
public sealed class FeatureArtifacts(IDbContextFactory<CatalogContext> contexts, Volume volume)
{
    /// <summary>Full paths of all shards of a complete feature set, in order: together they hold one row an image of the manifest.</summary>
    /// <exception cref="StoredFileException">Shards are missing or damaged; it names all of them, so that they are computed again at once.</exception>
    public async Task<IReadOnlyList<string>> FindShardsAsync(string featureSetKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var shards = await context
            .FeatureShards.AsNoTracking()
            .Where(shard => shard.FeatureSetKey == featureSetKey)
            .OrderBy(shard => shard.Shard)
            .ToListAsync(cancellationToken);
        var expected = await context
            .FeatureSets.Where(set => set.Key == featureSetKey)
            .Select(set => set.ShardCount)
            .SingleAsync(cancellationToken);
        if (shards.Count != expected)
        {
            throw new StoredFileException($"The feature set {featureSetKey} has {shards.Count} of {expected} shards in the catalog.");
        }

        var damaged = new List<StoredFileException>();
        foreach (var shard in shards)
        {
            try
            {
                // What a head learns from or is tested on: never on trust. A caller that keeps it in memory need not ask again.
                await volume.VerifyAsync(shard.File, trustedFor: TimeSpan.Zero, cancellationToken);
            }
            catch (StoredFileException exception)
            {
                damaged.Add(exception);
            }
        }

        if (damaged.Count > 0)
        {
            throw new StoredFileException(damaged[0].Message, [.. damaged.SelectMany(exception => exception.Paths)]);
        }

        return [.. shards.Select(shard => volume.FullPath(shard.File.Path))];
    }
}
