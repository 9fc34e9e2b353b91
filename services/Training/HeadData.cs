using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Vision;

namespace Distributed.Training;

/// <summary>Loads what a head learns from: features and labels of the training and validation splits, never of the test split.</summary>
/// <remarks>The data of the latest run stay loaded, since its slices follow each other.</remarks>
internal sealed class HeadData(FeatureArtifacts features, DatasetArtifacts datasets, TensorThread tensors, TensorDevice device) : IDisposable
{
    private (Guid RunId, int Classes, FeatureData Data)? _loaded;

    /// <summary>The data of a run; used on the tensor thread only.</summary>
    public async Task<(FeatureData Data, int Classes)> LoadAsync(Run run, CancellationToken cancellationToken)
    {
        if (_loaded is { } loaded && loaded.RunId == run.Id)
        {
            return (loaded.Data, loaded.Classes);
        }

        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(run.FeatureSetKey!, cancellationToken);
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
                _loaded = (run.Id, manifest.ClassNames.Count, data);
                return (data, manifest.ClassNames.Count);
            },
            cancellationToken);
    }

    public void Dispose() => _loaded?.Data.Dispose();
}
