using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Handlers;

/// <summary>Computes one shard of features.</summary>
internal sealed class ExtractFeaturesHandler(
    IDbContextFactory<CatalogContext> contexts,
    ShardExtractor extractor,
    TensorDevice device,
    Volume volume
) : IJobHandler<ExtractFeatures>
{
    public async Task<JobWrite> ExecuteAsync(ExtractFeatures job, JobLease lease, CancellationToken cancellationToken)
    {
        var (key, shard) = (job.Scope, job.Step);
        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        var set = await catalog.FeatureSets.AsNoTracking().SingleAsync(row => row.Key == key, cancellationToken);
        var extracted = await extractor.ExtractAsync(set, shard, cancellationToken);
        TrainingTelemetry.RecordShard(extracted, device.Device, ChoiceName.Of(set.Precision));
        var file = await volume.WriteAsync(
            $"features/{key}/shard-{shard:D5}.{lease.TokenText}.safetensors",
            (stream, token) => FeatureShardFile.WriteAsync(stream, extracted.Features, token),
            cancellationToken
        );
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                // There is a row already where its file was damaged.
                await context.FeatureShards.Where(row => row.FeatureSetKey == key && row.Shard == shard).ExecuteDeleteAsync(token);
                context.FeatureShards.Add(
                    new FeatureShard
                    {
                        FeatureSetKey = key,
                        Shard = shard,
                        ImageCount = extracted.Features.Count,
                        File = file,
                        Seconds = extracted.Seconds,
                        Worker = JobWorker.Name,
                    }
                );
            }
        );
    }
}
