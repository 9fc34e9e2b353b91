using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Evaluation.Reporting;

namespace Distributed.Evaluation;

/// <summary>Chooses the test images that a report shows, and makes their thumbnails.</summary>
internal static class ReportSamples
{
    private const int MostShown = 24;
    private const int LargestThumbnail = 128;

    /// <summary>Images spread evenly over the test split.</summary>
    public static Task<IReadOnlyList<ReportSample>> DrawGalleryAsync(
        EvaluatedHead evaluated,
        DatasetManifest manifest,
        PackedDataset packed,
        CancellationToken cancellationToken
    )
    {
        var count = evaluated.Images.Length;
        var shown = Math.Min(MostShown, count);
        return DrawAsync(
            [.. Enumerable.Range(0, shown).Select(i => (int)((long)i * count / shown))],
            evaluated,
            manifest,
            packed,
            cancellationToken
        );
    }

    /// <summary>The wrong predictions that were most sure of themselves.</summary>
    public static Task<IReadOnlyList<ReportSample>> DrawMistakesAsync(
        EvaluatedHead evaluated,
        DatasetManifest manifest,
        PackedDataset packed,
        CancellationToken cancellationToken
    )
    {
        var mistakes = Enumerable
            .Range(0, evaluated.Images.Length)
            .Where(test => evaluated.PredictedOf(test) != evaluated.Labels[test])
            .OrderByDescending(test => evaluated.ProbabilitiesOf(test)[evaluated.PredictedOf(test)])
            .ThenBy(test => test)
            .Take(MostShown);
        return DrawAsync([.. mistakes], evaluated, manifest, packed, cancellationToken);
    }

    private static async Task<IReadOnlyList<ReportSample>> DrawAsync(
        int[] tests,
        EvaluatedHead evaluated,
        DatasetManifest manifest,
        PackedDataset packed,
        CancellationToken cancellationToken
    )
    {
        var samples = new List<ReportSample>(tests.Length);
        foreach (var test in tests)
        {
            var row = evaluated.Images[test];
            var pixels = new byte[packed.ImageBytes];
            await packed.ReadAsync(row, 1, pixels, cancellationToken);
            var image = new RgbImage(packed.Size, packed.Size, pixels);
            var thumbnail =
                packed.Size <= LargestThumbnail
                    ? image
                    : Resampler.Resize(image, LargestThumbnail, LargestThumbnail, ResampleFilter.Bicubic);
            var predicted = evaluated.PredictedOf(test);
            samples.Add(
                new ReportSample(
                    PngEncoder.Encode(thumbnail.Pixels, thumbnail.Width, thumbnail.Height),
                    manifest.Images[row].Name,
                    evaluated.Labels[test],
                    predicted,
                    evaluated.ProbabilitiesOf(test)[predicted],
                    evaluated.ProbabilitiesOf(test)[evaluated.Labels[test]]
                )
            );
        }

        return samples;
    }
}
