using System.Collections.Concurrent;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Maps;

/// <summary>Finds maps of feature sets, and has Evaluation workers make those that are not there: one request at a time for a set, whoever asks how often.</summary>
internal sealed class FeatureMaps(IDbContextFactory<CatalogContext> contexts, RequestSender sender)
{
    /// <summary>A hundred thousand images on a slow machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<string, Task<FeaturesMapped>> _making = new(StringComparer.Ordinal);

    /// <summary>The map of a feature set; null where there is none yet.</summary>
    public async Task<FeatureMapRecord?> FindAsync(string key, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.FeatureMaps.AsNoTracking().SingleOrDefaultAsync(map => map.FeatureSetKey == key, cancellationToken);
    }

    /// <summary>Has a map made.</summary>
    /// <param name="key">The feature set.</param>
    /// <param name="wait">How long to wait for it.</param>
    /// <param name="cancellationToken">Stops waiting; it is made all the same.</param>
    /// <returns>The answer; null where it is still being made.</returns>
    /// <exception cref="RequestRefusedException">No worker can answer at the moment.</exception>
    /// <exception cref="TimeoutException">None has answered.</exception>
    public async Task<FeaturesMapped?> MakeAsync(string key, TimeSpan wait, CancellationToken cancellationToken)
    {
        var making = _making.GetOrAdd(
            key,
            _ =>
                sender.SendAsync<MapFeatures, FeaturesMapped>(
                    RequestKind.MapFeatures,
                    new MapFeatures(key),
                    Patience,
                    CancellationToken.None
                )
        );
        if (await Task.WhenAny(making, Task.Delay(wait, cancellationToken)) != making)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }

        // Whether it succeeded or failed, the next request starts another one.
        _making.TryRemove(KeyValuePair.Create(key, making));
        return await making;
    }
}
