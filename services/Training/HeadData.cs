using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Heads;

namespace Distributed.Training;

/// <summary>Loads what a head learns from: features and labels of the training and validation splits, never of the test split.</summary>
/// <remarks>The latest data stay loaded: slices of a run follow each other, and so do runs that differ in their heads alone.</remarks>
internal sealed class HeadData(FeatureArtifacts features, DatasetArtifacts datasets, TensorThread tensors, TensorDevice device)
    : IDisposable
{
    private (Key Key, IReadOnlyList<string> ClassNames, FeatureData Data)? _loaded;

    /// <summary>The data of a run, for what trains its head; used on the tensor thread only.</summary>
    public async Task<(FeatureData Data, IReadOnlyList<string> ClassNames)> LoadAsync(
        Run run,
        HeadOptimizer optimizer,
        CancellationToken cancellationToken
    )
    {
        var key = new Key(run.DatasetSha256!, run.FeatureSetKey!, run.Split!.Sha256);
        if (_loaded is { } loaded && loaded.Key == key && Serves(loaded.Data, optimizer))
        {
            return (loaded.Data, loaded.ClassNames);
        }

        var manifest = await datasets.ReadManifestAsync(key.Dataset, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(key.FeatureSet, cancellationToken);
        int[] labels = [.. manifest.Images.Select(image => image.Label)];
        return await tensors.RunAsync(
            _ =>
            {
                // There may be no room for both.
                _loaded?.Data.Dispose();
                _loaded = null;
                var data = FeatureData.Create(FeatureShards.Open(shards), labels, split.Train, split.Validation, device.Device);
                _loaded = (key, manifest.ClassNames, data);
                return (data, manifest.ClassNames);
            },
            cancellationToken
        );
    }

    public void Dispose() => _loaded?.Data.Dispose();

    /// <summary>Newton's method takes principal components as well, which it leaves in the place of the features.</summary>
    private static bool Serves(FeatureData data, HeadOptimizer optimizer) =>
        data.HasFeatures || (data.HasComponents && optimizer == HeadOptimizer.Newton);

    private sealed record Key(string Dataset, string FeatureSet, string Split);
}
