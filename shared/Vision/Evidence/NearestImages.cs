using System.Runtime.InteropServices;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Evidence;

/// <summary>An image and how alike another one is to it.</summary>
/// <param name="Row">Row of the image among those that were searched.</param>
/// <param name="Similarity">Cosine of the angle between the standardised features, -1 to 1.</param>
public sealed record NearImage(int Row, float Similarity);

/// <summary>Finds the images whose features point most nearly in the same direction.</summary>
/// <remarks>Holds a copy of the features. Call it from one dedicated thread: see <see cref="Devices.TensorThread"/>.</remarks>
public sealed class NearestImages : IDisposable
{
    private const int RowsAtOnce = 1024;

    /// <summary>Similarities that are held at once.</summary>
    private const int MostSimilarities = 1 << 26;

    private readonly Tensor _images;
    private readonly Tensor _mean;
    private readonly Tensor _deviation;

    /// <summary>Takes the images to be searched.</summary>
    /// <param name="features">Their features; at least one image. They are read twice.</param>
    public NearestImages(IFeatureSource features)
    {
        ArgumentNullException.ThrowIfNull(features);
        using var withoutGradients = no_grad();
        using var scope = NewDisposeScope();
        var rows = StandardRows.Measure(features);
        (_mean, _deviation) = (tensor(rows.Mean).DetachFromDisposeScope(), tensor(rows.Deviation).DetachFromDisposeScope());
        _images = empty([features.Count, features.Size], ScalarType.Float32).DetachFromDisposeScope();
        for (var first = 0; first < features.Count; first += RowsAtOnce)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, features.Count - first);
            _images.narrow(0, first, count).copy_(Directions(rows.ReadPlain(first, count)));
        }
    }

    /// <summary>Images that are searched.</summary>
    public int Count => (int)_images.shape[0];

    /// <summary>Finds the nearest images of each of some others.</summary>
    /// <param name="features">Features of these.</param>
    /// <param name="most">How many to find for each, at least 1.</param>
    /// <param name="cancellationToken">Stops the search between parts.</param>
    /// <returns>For each the nearest first; fewer than asked for where fewer are searched.</returns>
    public IReadOnlyList<NearImage[]> Find(FeatureMatrix features, int most, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        using var withoutGradients = no_grad();
        var found = new List<NearImage[]>(features.Count);
        var each = Math.Min(most, Count);
        var rowsAtOnce = Math.Clamp(MostSimilarities / Count, 1, RowsAtOnce);
        for (var first = 0; first < features.Count; first += rowsAtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var count = Math.Min(rowsAtOnce, features.Count - first);
            var queries = features.Values.AsSpan(first * features.Size, count * features.Size);
            var (similarities, rows) = Directions(TensorData.FromValues(queries, count, features.Size).ToTensor())
                .mm(_images.t())
                .topk(each, 1);
            var values = MemoryMarshal.Cast<byte, float>(similarities.contiguous().bytes);
            var indices = MemoryMarshal.Cast<byte, long>(rows.contiguous().bytes);
            for (var row = 0; row < count; row++)
            {
                var near = new NearImage[each];
                for (var i = 0; i < each; i++)
                {
                    near[i] = new NearImage((int)indices[(row * each) + i], values[(row * each) + i]);
                }

                found.Add(near);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _images.Dispose();
        _mean.Dispose();
        _deviation.Dispose();
    }

    private Tensor Directions(Tensor features)
    {
        var rows = features.sub(_mean).div_(_deviation);
        return rows.div_(rows.norm(1, keepdim: true).clamp_min(1e-12));
    }
}
