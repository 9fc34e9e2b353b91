using Distributed.Artifacts;
using Distributed.Catalog;
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

    /// <summary>The data of a run; used on the tensor thread only.</summary>
    public async Task<(FeatureData Data, IReadOnlyList<string> ClassNames)> LoadAsync(Run run, CancellationToken cancellationToken)
    {
        var key = new Key(run.DatasetSha256!, run.FeatureSetKey!, run.Split!.Sha256);
        if (_loaded is { } loaded && loaded.Key == key)
        {
            return (loaded.Data, loaded.ClassNames);
        }

        var manifest = await datasets.ReadManifestAsync(key.Dataset, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(key.FeatureSet, cancellationToken);
        int[] rows = [.. split.Train, .. split.Validation];
        int[] labels = [.. rows.Select(row => manifest.Images[row].Label)];
        var matrix = FeatureShardFile.Read(shards).Select(rows);
        int[] train = [.. Enumerable.Range(0, split.Train.Length)];
        int[] validation = [.. Enumerable.Range(split.Train.Length, split.Validation.Length)];
        return await tensors.RunAsync(
            _ =>
            {
                _loaded?.Data.Dispose();
                var data = FeatureData.Create(matrix, labels, train, validation, device.Device);
                _loaded = (key, manifest.ClassNames, data);
                return (data, manifest.ClassNames);
            },
            cancellationToken
        );
    }

    public void Dispose() => _loaded?.Data.Dispose();

    private sealed record Key(string Dataset, string FeatureSet, string Split);
}
