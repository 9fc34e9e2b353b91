using System.Buffers;
using System.Diagnostics;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Serving;
using Distributed.Vision.Devices;
using Distributed.Vision.Engines;
using Distributed.Vision.Features;

namespace Distributed.Training;

/// <summary>Features of one shard, how long computing them took, and the network that did.</summary>
internal sealed record ExtractedShard(FeatureMatrix Features, double Seconds, string Backbone);

/// <summary>Computes shards; the network of the latest feature set stays loaded, since shards of one set follow each other.</summary>
internal sealed class ShardExtractor(
    DatasetArtifacts artifacts,
    BackboneLoader backbones,
    AutotuningCache autotuning,
    TensorThread tensors,
    TensorDevice device
) : IDisposable
{
    private Loaded? _loaded;

    public async Task<ExtractedShard> ExtractAsync(FeatureSet set, int shard, CancellationToken cancellationToken)
    {
        var first = shard * set.ShardSize;
        var count = Math.Min(set.ShardSize, set.ImageCount - first);
        using var packed = await artifacts.OpenPackedAsync(set.IngestionKey, cancellationToken);
        var length = checked(count * packed.ImageBytes);
        var images = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await packed.ReadAsync(first, count, images.AsMemory(0, length), cancellationToken);
            using var backbone = _loaded?.Key == set.Key ? null : await backbones.LoadAsync(set, cancellationToken);
            var threads = backbone is null ? null : await autotuning.FindThreadsAsync(backbone.Name, set.InputSize, cancellationToken);
            return await tensors.RunAsync(
                token =>
                {
                    var loaded = Use(set, backbone, threads);
                    using var scope = loaded.Threads is { } number ? TorchEnvironment.WithThreads(number) : null;
                    var started = Stopwatch.GetTimestamp();
                    var features = loaded.Extractor.Extract(images.AsSpan(0, length), count, set.SquareSize, token);
                    return new ExtractedShard(features, Stopwatch.GetElapsedTime(started).TotalSeconds, loaded.Backbone);
                },
                cancellationToken
            );
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(images);
        }
    }

    public void Dispose() => _loaded?.Extractor.Dispose();

    private Loaded Use(FeatureSet set, IBackbone? backbone, int? threads)
    {
        if (backbone is not null)
        {
            _loaded?.Extractor.Dispose();
            _loaded = null;
            _loaded = new Loaded(
                set.Key,
                backbone.Name,
                new FeatureExtractor(backbone, set.Precision, device.Device, set.BatchSize),
                threads
            );
        }

        return _loaded!;
    }

    private sealed record Loaded(string Key, string Backbone, FeatureExtractor Extractor, int? Threads);
}
