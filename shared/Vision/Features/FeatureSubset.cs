namespace Distributed.Vision.Features;

/// <summary>Some images of others, in an order of their own; they stay where they are.</summary>
/// <param name="features">Features of all of them.</param>
/// <param name="images">Which, zero-based.</param>
public sealed class FeatureSubset(IFeatureSource features, int[] images) : IFeatureSource
{
    /// <inheritdoc/>
    public int Count => images.Length;

    /// <inheritdoc/>
    public int Size => features.Size;

    /// <inheritdoc/>
    public void Read(ReadOnlySpan<int> rows, FeatureTarget target)
    {
        var all = new int[rows.Length];
        for (var i = 0; i < all.Length; i++)
        {
            all[i] = images[rows[i]];
        }

        features.Read(all, target);
    }
}
