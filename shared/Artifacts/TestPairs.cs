using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Artifacts;

/// <summary>A test image of two runs.</summary>
/// <param name="Name">Its name in the first run's data set.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="ClassName">Its class.</param>
/// <param name="First">What the first run's head made of it.</param>
/// <param name="Second">What the second's did.</param>
public sealed record TestPair(string Name, string Sha256, string ClassName, JudgedImage First, JudgedImage Second);

/// <summary>What a head made of an image.</summary>
/// <param name="Predicted">The class that was named.</param>
/// <param name="Probability">Its probability; 0 to 1.</param>
/// <param name="Own">Probability of its own class.</param>
/// <param name="IsRight">Whether its own class was named.</param>
public sealed record JudgedImage(string Predicted, float Probability, float Own, bool IsRight);

/// <summary>The test images of two runs, image by image.</summary>
/// <param name="First">Test images of the first run.</param>
/// <param name="Second">Test images of the second.</param>
/// <param name="Common">Those that both have, in the first run's order. An image is known by its bytes and its class, so the data sets may differ elsewhere.</param>
public sealed record TestPairs(int First, int Second, IReadOnlyList<TestPair> Common)
{
    /// <summary>Whether both were tested on the same images.</summary>
    public bool AreSame => Common.Count == First && Common.Count == Second;

    /// <summary>Joins what two evaluated runs predicted.</summary>
    /// <param name="contexts">The catalog.</param>
    /// <param name="datasets">The files.</param>
    /// <param name="first">A run.</param>
    /// <param name="second">Another.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="InvalidOperationException">One of them is not evaluated.</exception>
    /// <exception cref="Storage.StoredFileException">A file is missing or damaged.</exception>
    public static async Task<TestPairs> JoinAsync(
        IDbContextFactory<CatalogContext> contexts,
        DatasetArtifacts datasets,
        Guid first,
        Guid second,
        CancellationToken cancellationToken
    )
    {
        var one = await ReadAsync(contexts, datasets, first, cancellationToken);
        var others = (await ReadAsync(contexts, datasets, second, cancellationToken)).ToDictionary(
            image => image.Key,
            image => image.Judged
        );
        return new TestPairs(
            one.Count,
            others.Count,
            [
                .. one.Where(image => others.ContainsKey(image.Key))
                    .Select(image => new TestPair(image.Name, image.Key.Sha256, image.Key.Class, image.Judged, others[image.Key])),
            ]
        );
    }

    /// <summary>What was predicted for each test image, by the hash of its bytes and the name of its class; equal images are counted.</summary>
    private static async Task<IReadOnlyList<Image>> ReadAsync(
        IDbContextFactory<CatalogContext> contexts,
        DatasetArtifacts datasets,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await context
            .Evaluations.Where(evaluation => evaluation.RunId == runId)
            .Join(
                context.Runs,
                evaluation => evaluation.RunId,
                run => run.Id,
                (evaluation, run) => new { evaluation.Predictions, run.DatasetSha256 }
            )
            .AsNoTracking()
            .SingleAsync(cancellationToken);
        var manifest = await datasets.ReadManifestAsync(found.DatasetSha256!, cancellationToken);
        var predictions = await datasets.ReadJsonAsync<IReadOnlyList<TestPrediction>>(found.Predictions, cancellationToken);
        var copies = new Dictionary<(string, string), int>();
        var images = new List<Image>(predictions.Count);
        foreach (var prediction in predictions)
        {
            var (listed, className) = (manifest.Images[prediction.Image], manifest.ClassNames[prediction.Label]);
            var copy = copies[(listed.Sha256, className)] = copies.GetValueOrDefault((listed.Sha256, className)) + 1;
            images.Add(
                new Image(
                    (listed.Sha256, className, copy),
                    listed.Name,
                    new JudgedImage(manifest.ClassNames[prediction.Predicted], prediction.Probability, prediction.Own, prediction.IsRight)
                )
            );
        }

        return images;
    }

    private sealed record Image((string Sha256, string Class, int Copy) Key, string Name, JudgedImage Judged);
}
