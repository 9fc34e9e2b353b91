using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Storage;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Consumers;

/// <summary>Computes one shard of features.</summary>
internal sealed class ExtractFeaturesConsumer(
    JobWorker worker,
    IDbContextFactory<CatalogContext> contexts,
    RunFlow runs,
    ShardExtractor extractor,
    TensorDevice device,
    Volume volume
) : JobConsumer<ExtractFeatures>(worker)
{
    public override async Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        var (key, shard) = (lease.Job.Scope, lease.Job.Step);
        await using var catalog = await contexts.CreateDbContextAsync(cancellationToken);
        var set = await catalog.FeatureSets.AsNoTracking().SingleAsync(row => row.Key == key, cancellationToken);
        var extracted = await extractor.ExtractAsync(set, shard, cancellationToken);
        TrainingTelemetry.RecordShard(extracted, device.Device, ChoiceName.Of(set.Precision));
        var file = await volume.WriteAsync(
            $"features/{key}/shard-{shard:D5}.{lease.TokenText}.safetensors",
            (stream, token) => FeatureShardFile.WriteAsync(stream, extracted.Features, token),
            cancellationToken
        );
        return async (context, token) =>
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
        };
    }

    public override Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        return runs.ShardExtractedAsync(job.Scope, cancellationToken);
    }
}
