using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Storage;
using Distributed.Vision.Devices;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Serving;

/// <summary>Says what supports predictions: the nearest training images, how unusual an image is, and sets of classes. What that takes is loaded when it is first asked for.</summary>
public sealed class EvidenceSource(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts datasets, FeatureArtifacts features)
    : IDisposable
{
    /// <summary>Each holds the features of its training images.</summary>
    private const int MostKept = 2;

    private readonly TensorThread _tensors = new();
    private readonly LatestUsed<Guid, TrainingImages> _runs = new(MostKept);

    /// <inheritdoc/>
    public void Dispose() => _tensors.Dispose();

    /// <summary>Finds what supports the predictions of images; null for those that could not be used.</summary>
    internal async Task<PredictionEvidence?[]> FindAsync(
        ServedModel model,
        EvidenceRequest request,
        IReadOnlyList<ComputedImage?> images,
        CancellationToken cancellationToken
    )
    {
        var (training, missing) =
            request.Neighbours > 0 || request.IsUnusual ? await LoadAsync(model, cancellationToken) : (null, (string?)null);
        int[] usable = [.. Enumerable.Range(0, images.Count).Where(i => images[i] is not null)];
        var near =
            training is not null && request.Neighbours > 0 && usable.Length > 0
                ? await _tensors.RunAsync(token => training.Find(images, usable, request.Neighbours, token), cancellationToken)
                : null;
        var found = new PredictionEvidence?[images.Count];
        for (var i = 0; i < usable.Length; i++)
        {
            var image = images[usable[i]]!;
            var unusual =
                request.IsUnusual && training?.Gaussians is { } gaussians ? gaussians.Measure(image.Features) : ((double, double)?)null;
            var set = request.Confidence is { } confidence ? SetOf(model, image.Probabilities, confidence) : null;
            var without =
                request.IsUnusual && training is { Gaussians: null }
                    ? "No class has two training images, so that nothing says how far apart images are."
                : request.Confidence is not null && set is null
                    ? "The head was trained without validation images, so that there is nothing to measure sets of classes with."
                : missing;
            found[usable[i]] = new PredictionEvidence(near?[i], unusual?.Item1, unusual?.Item2, set, without);
        }

        return found;
    }

    /// <summary>How unusual images are to a model.</summary>
    /// <returns>For each image; null where nothing says it, as where the features of the training images are gone.</returns>
    internal async Task<(double Distance, double Percentile)[]?> MeasureAsync(
        ServedModel model,
        FeatureMatrix images,
        CancellationToken cancellationToken
    ) =>
        (await LoadAsync(model, cancellationToken)).Images?.Gaussians is { } gaussians
            ? await _tensors.RunAsync(token => gaussians.Measure(images, token), cancellationToken)
            : null;

    /// <summary>The classes that are probable enough, and the most probable one in any case.</summary>
    private static IReadOnlyList<string>? SetOf(ServedModel model, float[] probabilities, double confidence)
    {
        if (model.Head.Calibration is not { } calibration)
        {
            return null;
        }

        var least = 1 - calibration.Threshold(confidence);
        return
        [
            .. probabilities
                .Select((probability, label) => (probability, label))
                .OrderByDescending(pair => pair.probability)
                .ThenBy(pair => pair.label)
                .TakeWhile((pair, rank) => rank == 0 || pair.probability >= least)
                .Select(pair => model.ClassNames[pair.label]),
        ];
    }

    private async Task<(TrainingImages? Images, string? Missing)> LoadAsync(ServedModel model, CancellationToken cancellationToken)
    {
        try
        {
            return (await _runs.GetAsync(model.Version.RunId, token => ReadAsync(model.Version.RunId, token), cancellationToken), null);
        }
        catch (StoredFileException exception)
        {
            return (null, $"The features of the training images are not there: {exception.Message}");
        }
    }

    private async Task<TrainingImages> ReadAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var run = await context.Runs.AsNoTracking().SingleAsync(row => row.Id == runId, cancellationToken);
        var manifest = await datasets.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var split = await datasets.ReadSplitAsync(run, cancellationToken);
        var shards = await features.FindShardsAsync(run.FeatureSetKey!, cancellationToken);
        int[] rows = [.. split.Train, .. split.Validation];
        var images = new FeatureSubset(FeatureShards.Open(shards), rows);
        int[] labels = [.. rows.Select(row => manifest.Images[row].Label)];
        return await _tensors.RunAsync(
            token =>
            {
                // One after the other, since each takes the memory of all features once.
                var gaussians = labels.GroupBy(label => label).Any(ofClass => ofClass.Count() > 1)
                    ? ClassGaussians.Fit(images, labels, manifest.ClassNames.Count, token)
                    : null;
                return new TrainingImages(manifest, rows, new NearestImages(images), gaussians);
            },
            cancellationToken
        );
    }

    /// <summary>The training images of a run.</summary>
    private sealed record TrainingImages(DatasetManifest Manifest, int[] Rows, NearestImages Nearest, ClassGaussians? Gaussians)
    {
        public IReadOnlyList<IReadOnlyList<NearestTrainingImage>> Find(
            IReadOnlyList<ComputedImage?> images,
            int[] usable,
            int most,
            CancellationToken cancellationToken
        )
        {
            var size = images[usable[0]]!.Features.Length;
            var values = new float[usable.Length * size];
            for (var i = 0; i < usable.Length; i++)
            {
                images[usable[i]]!.Features.CopyTo(values, i * size);
            }

            return
            [
                .. Nearest
                    .Find(new FeatureMatrix(values, usable.Length, size), most, cancellationToken)
                    .Select(near =>
                        (IReadOnlyList<NearestTrainingImage>)
                            [
                                .. near.Select(one =>
                                {
                                    var image = Manifest.Images[Rows[one.Row]];
                                    return new NearestTrainingImage(
                                        image.Name,
                                        image.Sha256,
                                        Manifest.ClassNames[image.Label],
                                        one.Similarity
                                    );
                                }),
                            ]
                    ),
            ];
        }
    }
}
