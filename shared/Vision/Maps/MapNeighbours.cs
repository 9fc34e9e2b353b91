using System.Runtime.InteropServices;
using Distributed.Vision.Evidence;
using Distributed.Vision.Features;
using static TorchSharp.torch;

namespace Distributed.Vision.Maps;

/// <summary>The nearest images of each image.</summary>
/// <param name="Rows">count × each rows, the nearest first.</param>
/// <param name="Distances">How far they are.</param>
/// <param name="Count">Images.</param>
/// <param name="Each">Neighbours of an image.</param>
internal sealed record NearRows(int[] Rows, float[] Distances, int Count, int Each)
{
    /// <summary>The neighbours of an image.</summary>
    public ReadOnlySpan<int> Of(int image) => Rows.AsSpan(image * Each, Each);

    /// <summary>How far they are.</summary>
    public ReadOnlySpan<float> DistancesOf(int image) => Distances.AsSpan(image * Each, Each);
}

/// <summary>Finds where images begin on a map, and which are near each other.</summary>
internal static class MapNeighbours
{
    /// <summary>Further directions hold little but noise, and cost time.</summary>
    private const int MostDirections = 50;
    private const int RowsAtOnce = 1024;

    /// <summary>Distances that are held at once.</summary>
    private const int MostDistances = 1 << 25;

    /// <summary>The widest begin this far from the middle.</summary>
    private const float Width = 10;

    /// <summary>Reduces features to principal components and finds the nearest images by them.</summary>
    /// <returns>The first two components of each image, and its neighbours.</returns>
    public static (float[] Start, NearRows Near) Find(IFeatureSource features, int neighbours, CancellationToken cancellationToken)
    {
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var reduced = Reduce(features, cancellationToken);
        return (Begin(reduced), FindNearest(reduced, Math.Min(neighbours, features.Count - 1), cancellationToken));
    }

    private static Tensor Reduce(IFeatureSource features, CancellationToken cancellationToken)
    {
        var rows = StandardRows.Create(features);
        var covariance = zeros([rows.Size, rows.Size], ScalarType.Float64);
        ForEachPart((first, count) =>
        {
            var part = rows.Read(first, count);
            covariance.addmm_(part.t(), part, 1, 1);
        });
        var directions = Math.Min(MostDirections, rows.Size);
        var (_, vectors) = SymmetricMatrix.Decompose(covariance.div_(rows.Count));
        // The widest direction first; of the two that an axis has, that in which its largest number is positive.
        var axes = vectors.narrow(1, rows.Size - directions, directions).flip(1);
        axes = axes.mul(axes.gather(0, axes.abs().argmax(0, keepdim: true)).sign());
        var reduced = empty([rows.Count, directions], ScalarType.Float32);
        ForEachPart((first, count) => reduced.narrow(0, first, count).copy_(rows.Read(first, count).mm(axes)));
        return reduced;

        void ForEachPart(Action<int, int> visit)
        {
            for (var first = 0; first < rows.Count; first += RowsAtOnce)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var inner = NewDisposeScope();
                visit(first, Math.Min(RowsAtOnce, rows.Count - first));
            }
        }
    }

    private static float[] Begin(Tensor reduced)
    {
        var start = zeros([reduced.shape[0], 2], ScalarType.Float32);
        var known = Math.Min(2, reduced.shape[1]);
        start.narrow(1, 0, known).copy_(reduced.narrow(1, 0, known));
        start.mul_(Width / Math.Max(start.abs().max().item<float>(), 1e-6f));
        return MemoryMarshal.Cast<byte, float>(start.contiguous().bytes).ToArray();
    }

    private static NearRows FindNearest(Tensor reduced, int each, CancellationToken cancellationToken)
    {
        var count = (int)reduced.shape[0];
        var (rows, distances) = (new int[count * each], new float[count * each]);
        var squares = reduced.square().sum(1);
        var columns = reduced.t();
        var rowsAtOnce = Math.Clamp(MostDistances / count, 1, RowsAtOnce);
        for (var first = 0; first < count; first += rowsAtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var some = Math.Min(rowsAtOnce, count - first);
            var to = reduced.narrow(0, first, some).mm(columns).mul_(-2).add_(squares).add_(squares.narrow(0, first, some).unsqueeze(1));
            // Nothing is its own neighbour.
            to.diagonal(first).fill_(float.MaxValue);
            var (near, indices) = to.topk(each, 1, largest: false);
            MemoryMarshal.Cast<byte, float>(near.clamp_min(0).sqrt().contiguous().bytes).CopyTo(distances.AsSpan(first * each));
            var found = MemoryMarshal.Cast<byte, long>(indices.contiguous().bytes);
            for (var i = 0; i < found.Length; i++)
            {
                rows[(first * each) + i] = (int)found[i];
            }
        }

        return new NearRows(rows, distances, count, each);
    }
}
