using CsCheck;
using Distributed.Vision.Features;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Tests.Features;

public sealed class FeatureShardsTests
{
    [Fact]
    public async Task Shards_are_one_list_of_images_and_checked()
    {
        using var folder = new TemporaryFolder();
        await WriteAsync(folder["0"], new([1, 2, 3, 4], 2, 2));
        await WriteAsync(folder["1"], new([5, 6], 1, 2));
        await WriteAsync(folder["odd"], new([7], 1, 1));
        await File.WriteAllBytesAsync(
            folder["none"],
            SafetensorsWriter.ToBytes(new Dictionary<string, TensorData> { ["features"] = TensorData.FromValues([1f], 1) })
        );

        var shards = FeatureShards.Open([folder["0"], folder["1"]]);

        Assert.Equal((3, 2), (shards.Count, shards.Size));
        Assert.Equal([5, 6, 1, 2, 5, 6], shards.Select([2, 0, 2]).Values);
        Assert.Equal([3, 4], FeatureShardFile.Read(folder["0"]).Row(1).ToArray());
        Assert.Contains(
            "feature dimension 1",
            Assert.Throws<WeightsException>(() => FeatureShards.Open([folder["0"], folder["odd"]])).Message,
            StringComparison.Ordinal
        );
        foreach (var refused in (Func<object>[])[() => FeatureShards.Open([folder["none"]]), () => FeatureShardFile.Read(folder["none"])])
        {
            Assert.Contains("'features'", Assert.Throws<WeightsException>(refused).Message, StringComparison.Ordinal);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => shards.Select([3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shards.Select([-1]));
        Assert.Empty(shards.Select([]).Values);
    }

    [Fact]
    public async Task Any_rows_in_any_order_are_those_of_a_matrix()
    {
        const int images = 700,
            size = 1000;
        using var folder = new TemporaryFolder();
        var matrix = new FeatureMatrix([.. Enumerable.Range(0, images * size).Select(i => (float)i)], images, size);
        // More than are read at once in one of them, and none in another.
        int[] ends = [0, 600, 600, 601, images];
        for (var shard = 1; shard < ends.Length; shard++)
        {
            await WriteAsync(folder[$"{shard}"], matrix.Select([.. Enumerable.Range(ends[shard - 1], ends[shard] - ends[shard - 1])]));
        }

        var shards = FeatureShards.Open([.. Enumerable.Range(1, ends.Length - 1).Select(shard => folder[$"{shard}"])]);
        Gen.Int[0, images - 1]
            .Array[0, 900]
            .Sample(rows => Assert.Equal(matrix.Select(rows).Values, shards.Select(rows).Values), iter: 20, threads: 1);
        int[] some = [.. Enumerable.Range(0, images).Where(row => row % 3 == 1).Reverse()];
        Assert.Equal(matrix.Select([some[7], some[2]]).Values, new FeatureSubset(shards, some).Select([7, 2]).Values);
    }

    [Fact]
    public async Task A_file_that_was_cut_off_meanwhile_is_named()
    {
        using var folder = new TemporaryFolder();
        await WriteAsync(folder["0"], new([1, 2, 3, 4], 2, 2));
        var shards = FeatureShards.Open([folder["0"]]);

        await WriteAsync(folder["0"], new([1, 2], 1, 2));

        Assert.Contains(folder["0"], Assert.Throws<WeightsException>(() => shards.Select([1])).Message, StringComparison.Ordinal);
    }

    private static async Task WriteAsync(string path, FeatureMatrix features)
    {
        await using var stream = File.Create(path);
        await FeatureShardFile.WriteAsync(stream, features);
    }
}
