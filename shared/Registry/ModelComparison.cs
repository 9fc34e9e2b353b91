using Distributed.Artifacts;
using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Registry;

/// <summary>Two versions on the same test images.</summary>
/// <param name="Images">Test images.</param>
/// <param name="First">Those that the first version has right.</param>
/// <param name="Second">Those that the second has right.</param>
/// <param name="Test">Whether they differ by more than chance.</param>
public sealed record ModelComparison(int Images, int First, int Second, McNemarTest Test)
{
    /// <summary>One line for people.</summary>
    public string Describe(int first, int second) =>
        FormattableString.Invariant(
            $"version {second} has {Second} of {Images} test images right, version {first} {First}; {Test.SecondOnly} are right by version {second} alone, {Test.FirstOnly} by version {first} alone (McNemar's exact test: p = {Test.PValue:0.####})"
        );
}

/// <summary>Compares versions by what was predicted for each test image.</summary>
internal sealed class ModelComparer(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts datasets)
{
    /// <summary>Compares the heads of two runs.</summary>
    /// <exception cref="RegistryException">They were not tested on the same images.</exception>
    public async Task<ModelComparison> CompareAsync(Guid first, Guid second, CancellationToken cancellationToken)
    {
        var (one, other) = (await ReadAsync(first, cancellationToken), await ReadAsync(second, cancellationToken));
        var common = one.Keys.Count(other.ContainsKey);
        if (common != one.Count || common != other.Count)
        {
            throw new RegistryException(
                RegistryProblem.Conflict,
                $"The two versions were tested on different images: {one.Count} and {other.Count}, of which {common} are the same. "
                    + "Train both on data sets with the same test split, or promote without a rule."
            );
        }

        return new ModelComparison(
            common,
            one.Values.Count(isRight => isRight),
            other.Values.Count(isRight => isRight),
            new McNemarTest(one.Count(image => image.Value && !other[image.Key]), one.Count(image => !image.Value && other[image.Key]))
        );
    }

    /// <summary>Whether each test image was right, by the hash of its bytes and the name of its class; equal images are counted.</summary>
    private async Task<Dictionary<(string Sha256, string Class, int Copy), bool>> ReadAsync(Guid runId, CancellationToken cancellationToken)
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
        var right = new Dictionary<(string, string, int), bool>(predictions.Count);
        foreach (var prediction in predictions)
        {
            var image = (manifest.Images[prediction.Image].Sha256, manifest.ClassNames[prediction.Label]);
            var copy = copies[image] = copies.GetValueOrDefault(image) + 1;
            right.Add((image.Item1, image.Item2, copy), prediction.IsRight);
        }

        return right;
    }
}
