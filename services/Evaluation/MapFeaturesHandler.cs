using System.Diagnostics;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Maps;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation;

/// <summary>Answers requests for the maps of feature sets: makes one where there is none, and enters it into the catalog.</summary>
internal sealed class MapFeaturesHandler(
    IDbContextFactory<CatalogContext> contexts,
    FeatureArtifacts features,
    Volume volume,
    TensorThread tensors,
    TimeProvider time
) : IRequestHandler<MapFeatures, FeaturesMapped>
{
    public async Task<FeaturesMapped> HandleAsync(MapFeatures request, bool isRedelivered, CancellationToken cancellationToken)
    {
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            var isThere = await context.FeatureMaps.AnyAsync(
                map => map.FeatureSetKey == request.FeatureSetKey && map.Version == FeatureMap.Version,
                cancellationToken
            );
            if (!isThere)
            {
                await MakeAsync(request.FeatureSetKey, cancellationToken);
            }

            return new FeaturesMapped();
        }
        catch (Exception exception) when (exception is StoredFileException or WeightsException)
        {
            return new FeaturesMapped(exception.Message);
        }
    }

    private async Task MakeAsync(string key, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var images = FeatureShards.Open(await features.FindShardsAsync(key, cancellationToken));
        var map = await FeatureMap.LayOutAsync(images, tensors, cancellationToken);
        var file = await volume.WriteAsync(
            $"maps/{key}/map.{Guid.NewGuid():N}.f32",
            (stream, token) => stream.WriteAsync(FeatureMap.Write(map), token).AsTask(),
            cancellationToken
        );
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // Another worker may have made it meanwhile, or an earlier version; the file of a row that goes is an orphan.
        await context.LockFeatureSetAsync(key, cancellationToken);
        await context.FeatureMaps.Where(row => row.FeatureSetKey == key).ExecuteDeleteAsync(cancellationToken);
        context.FeatureMaps.Add(
            new FeatureMapRecord
            {
                FeatureSetKey = key,
                Version = FeatureMap.Version,
                Points = map.Length / 2,
                File = file,
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
                CreatedAt = time.GetUtcNow().UtcDateTime,
            }
        );
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }
}
