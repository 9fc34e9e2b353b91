using System.Runtime.InteropServices;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Features;

/// <summary>
/// Files of features (<see cref="FeatureShardFile"/>), their rows one after another. Nothing is kept in memory but where rows are: those that are asked
/// for are read in stretches, so that features that no array holds, or that need not be held twice, are no obstacle.
/// </summary>
public sealed class FeatureShards : IFeatureSource
{
    /// <summary>What is read at once.</summary>
    private const int StretchBytes = 1 << 20;

    private readonly IReadOnlyList<Shard> _shards;

    private FeatureShards(IReadOnlyList<Shard> shards, int size) => (_shards, Size) = (shards, size);

    /// <inheritdoc/>
    public int Count => _shards[^1].End;

    /// <inheritdoc/>
    public int Size { get; }

    /// <summary>Looks at files, which have to stay as they are from now on.</summary>
    /// <param name="paths">At least one; all of the same feature dimension.</param>
    /// <exception cref="WeightsException">A file holds no features, or the sizes differ.</exception>
    public static FeatureShards Open(IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentOutOfRangeException.ThrowIfZero(paths.Count);
        var shards = new List<Shard>(paths.Count);
        var (end, size) = (0, 0L);
        foreach (var path in paths)
        {
            using var file = SafetensorsFile.Open(path);
            var shape = FeatureShardFile.ShapeOf(file);
            if (shards.Count > 0 && shape[1] != size)
            {
                throw new WeightsException($"{file.Source} has the feature dimension {shape[1]}, where the files before it have {size}.");
            }

            size = shape[1];
            if (end + shape[0] > Array.MaxLength)
            {
                throw new WeightsException($"{file.Source} is the one with which the images become more than {Array.MaxLength}.");
            }

            shards.Add(new Shard(path, end, end += (int)shape[0]));
        }

        return new FeatureShards(shards, (int)size);
    }

    /// <inheritdoc/>
    /// <exception cref="WeightsException">A file is no longer what it was.</exception>
    public void Read(ReadOnlySpan<int> rows, FeatureTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        // By their places in the files, so that every file is opened once.
        var (sorted, asked) = (rows.ToArray(), new int[rows.Length]);
        for (var i = 0; i < asked.Length; i++)
        {
            asked[i] = i;
        }

        Array.Sort(sorted, asked);
        if (sorted.Length > 0)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(sorted[0], nameof(rows));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sorted[^1], Count, nameof(rows));
        }

        var stretch = Array.Empty<float>();
        var next = 0;
        foreach (var shard in _shards)
        {
            if (next == sorted.Length)
            {
                break;
            }

            if (sorted[next] >= shard.End)
            {
                continue;
            }

            using var file = SafetensorsFile.Open(shard.Path);
            while (next < sorted.Length && sorted[next] < shard.End)
            {
                var first = sorted[next];
                var end = EndOfStretch(sorted, next, shard.End);
                var count = sorted[end - 1] - first + 1;
                stretch = stretch.Length < count * Size ? new float[count * Size] : stretch;
                file.ReadBytes(
                    FeatureShardFile.TensorName,
                    (long)(first - shard.First) * Size * sizeof(float),
                    MemoryMarshal.AsBytes(stretch.AsSpan(0, count * Size))
                );
                for (; next < end; next++)
                {
                    stretch.AsSpan((sorted[next] - first) * Size, Size).CopyTo(target(asked[next]));
                }
            }
        }
    }

    /// <summary>Up to which of the sorted rows one read goes that begins at one of them.</summary>
    private int EndOfStretch(int[] sorted, int begin, int endOfShard)
    {
        var most = Math.Max(StretchBytes / sizeof(float) / Size, 1);
        var end = begin + 1;
        while (end < sorted.Length && sorted[end] < endOfShard && sorted[end] - sorted[begin] < most)
        {
            end++;
        }

        return end;
    }

    /// <summary>A file, and which of all rows it holds.</summary>
    private sealed record Shard(string Path, int First, int End);
}
