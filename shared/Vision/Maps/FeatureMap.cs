using System.Runtime.InteropServices;
using Distributed.Vision.Devices;
using Distributed.Vision.Features;

namespace Distributed.Vision.Maps;

/// <summary>
/// Lays images out in two dimensions so that those whose features are alike are near each other, for people to look at (UMAP: McInnes, Healy and Melville
/// 2018). The features are reduced to their principal components, each image is joined with its nearest ones, and the joined are drawn together while
/// others are pushed apart. The same features give the same map on the same machine.
/// </summary>
public static class FeatureMap
{
    /// <summary>Changes with whatever changes a map.</summary>
    public const string Version = "1";

    /// <summary>The most images of a map; of more, as many are drawn, spread evenly.</summary>
    public const int MostImages = 100_000;

    private const int Neighbours = 15;

    /// <summary>Fewer have no neighbourhoods; their principal components are looked at.</summary>
    private const int FewestToLayOut = 20;

    /// <summary>The row of an image of a map.</summary>
    /// <param name="point">Which of its points.</param>
    /// <param name="points">How many there are.</param>
    /// <param name="images">Images of the data set.</param>
    public static int RowOf(int point, int points, int images) => (int)((long)point * images / points);

    /// <summary>Lays images out.</summary>
    /// <param name="features">The features of all images.</param>
    /// <param name="tensors">Where tensors are computed; the last part, which is the longest, takes none.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Two coordinates a point, one after the other.</returns>
    public static async Task<float[]> LayOutAsync(IFeatureSource features, TensorThread tensors, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(tensors);
        var points = Math.Min(features.Count, MostImages);
        var drawn = points == features.Count ? features : new FeatureSubset(features, Rows(points, features.Count));
        var (start, near) = await tensors.RunAsync(token => MapNeighbours.Find(drawn, Neighbours, token), cancellationToken);
        return points < FewestToLayOut
            ? start
            : await Task.Run(() => new MapLayout(start, FuzzyGraph.Of(near)).Settle(cancellationToken), cancellationToken);
    }

    /// <summary>A map as a file: float32, little-endian.</summary>
    public static byte[] Write(float[] coordinates) => MemoryMarshal.AsBytes<float>(coordinates).ToArray();

    private static int[] Rows(int points, int images) => [.. Enumerable.Range(0, points).Select(point => RowOf(point, points, images))];
}
