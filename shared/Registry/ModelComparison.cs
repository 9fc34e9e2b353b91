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
    /// <summary>Compares the heads of two runs that were tested on the same images.</summary>
    /// <param name="pairs">What both predicted.</param>
    public static ModelComparison Of(TestPairs pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return new ModelComparison(
            pairs.Common.Count,
            pairs.Common.Count(pair => pair.First.IsRight),
            pairs.Common.Count(pair => pair.Second.IsRight),
            new McNemarTest(
                pairs.Common.Count(pair => pair.First.IsRight && !pair.Second.IsRight),
                pairs.Common.Count(pair => !pair.First.IsRight && pair.Second.IsRight)
            )
        );
    }

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
        var pairs = await TestPairs.JoinAsync(contexts, datasets, first, second, cancellationToken);
        return pairs.AreSame
            ? ModelComparison.Of(pairs)
            : throw new RegistryException(
                RegistryProblem.Conflict,
                $"The two versions were tested on different images: {pairs.First} and {pairs.Second}, of which {pairs.Common.Count} are the same. "
                    + "Train both on data sets with the same test split, or promote without a rule."
            );
    }
}
