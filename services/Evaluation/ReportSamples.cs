using Distributed.Artifacts;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Evaluation.Reporting;
using Distributed.Imaging;

namespace Distributed.Evaluation;

/// <summary>Chooses the images that a report shows, and makes their thumbnails.</summary>
internal sealed class ReportSamples(DatasetManifest manifest, PackedDataset packed)
{
    private const int MostShown = 24;
    private const int MostPairs = 12;
    private const int LargestThumbnail = 128;

    /// <summary>Test images spread evenly over the split.</summary>
    public Task<IReadOnlyList<ReportSample>> DrawGalleryAsync(EvaluatedHead evaluated, CancellationToken cancellationToken)
    {
        var count = evaluated.Predictions.Count;
        var shown = Math.Min(MostShown, count);
        return DrawAsync(
            Enumerable.Range(0, shown).Select(i => evaluated.Predictions[(int)((long)i * count / shown)]),
            prediction => prediction.Image,
            (picture, prediction) =>
                new ReportSample(picture, prediction.Label, prediction.Predicted, prediction.Probability, prediction.Own),
            cancellationToken
        );
    }

    /// <summary>The wrong predictions that were most sure of themselves.</summary>
    public Task<IReadOnlyList<ReportSample>> DrawMistakesAsync(EvaluatedHead evaluated, CancellationToken cancellationToken) =>
        DrawAsync(
            evaluated
                .Predictions.Where(prediction => !prediction.IsRight)
                .OrderByDescending(prediction => prediction.Probability)
                .Take(MostShown),
            prediction => prediction.Image,
            (picture, prediction) =>
                new ReportSample(picture, prediction.Label, prediction.Predicted, prediction.Probability, prediction.Own),
            cancellationToken
        );

    /// <summary>The images whose label is least probable, of those of which another class is more probable.</summary>
    public Task<IReadOnlyList<ReportSample>> DrawSuspectsAsync(DatasetAudit audit, CancellationToken cancellationToken) =>
        DrawAsync(
            audit.Labels.Where(label => label.Suggested != label.Label).Take(MostShown),
            label => label.Image,
            (picture, label) => new ReportSample(picture, label.Label, label.Suggested, label.Probability, label.Own),
            cancellationToken
        );

    /// <summary>The near duplicates that are most alike, with the class of each.</summary>
    public async Task<IReadOnlyList<ReportPair>> DrawDuplicatesAsync(DatasetAudit audit, CancellationToken cancellationToken)
    {
        var pairs = new List<ReportPair>();
        foreach (var pair in audit.NearDuplicates.DistinctBy(pair => pair.Test).Take(MostPairs))
        {
            pairs.Add(
                new ReportPair(
                    await DrawAsync(pair.Test, cancellationToken),
                    manifest.Images[pair.Test].Label,
                    await DrawAsync(pair.Training, cancellationToken),
                    manifest.Images[pair.Training].Label,
                    pair.Correlation
                )
            );
        }

        return pairs;
    }

    private async Task<IReadOnlyList<ReportSample>> DrawAsync<T>(
        IEnumerable<T> chosen,
        Func<T, int> row,
        Func<ReportPicture, T, ReportSample> describe,
        CancellationToken cancellationToken
    )
    {
        var samples = new List<ReportSample>();
        foreach (var one in chosen)
        {
            samples.Add(describe(await DrawAsync(row(one), cancellationToken), one));
        }

        return samples;
    }

    private async Task<ReportPicture> DrawAsync(int row, CancellationToken cancellationToken)
    {
        var pixels = new byte[packed.ImageBytes];
        await packed.ReadAsync(row, 1, pixels, cancellationToken);
        var image = new RgbImage(packed.Size, packed.Size, pixels);
        var thumbnail =
            packed.Size <= LargestThumbnail ? image : Resampler.Resize(image, LargestThumbnail, LargestThumbnail, ResampleFilter.Bicubic);
        return new ReportPicture(PngEncoder.Encode(thumbnail.Pixels, thumbnail.Width, thumbnail.Height), manifest.Images[row].Name);
    }
}
