using Distributed.Vision.Devices;
using Distributed.Vision.Features;
using Distributed.Vision.Maps;

namespace Distributed.Vision.Tests;

public sealed class FeatureMapTests
{
    [Theory]
    [InlineData(600, 32)]
    // Fewer images than features.
    [InlineData(60, 300)]
    public async Task Images_whose_features_are_alike_are_near_each_other(int count, int size)
    {
        const int groups = 3;
        using var tensors = new TensorThread();

        var map = await FeatureMap.LayOutAsync(Draw(count, size, groups), tensors, CancellationToken.None);

        Assert.Equal(2 * count, map.Length);
        Assert.All(map, coordinate => Assert.True(float.IsFinite(coordinate)));
        // The nearest point of nearly each is one of its own group.
        var same = Enumerable
            .Range(0, count)
            .Count(one =>
                Enumerable.Range(0, count).Where(other => other != one).MinBy(other => Square(map, one, other)) % groups == one % groups
            );
        Assert.InRange(same, count * 0.98, count);
    }

    [Fact]
    public async Task The_same_features_give_the_same_map()
    {
        using var tensors = new TensorThread();

        var first = await FeatureMap.LayOutAsync(Draw(200, 16, 4), tensors, CancellationToken.None);
        var second = await FeatureMap.LayOutAsync(Draw(200, 16, 4), tensors, CancellationToken.None);

        Assert.Equal(first, second);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(19)]
    [InlineData(20)]
    public async Task Few_images_have_a_map_too(int count)
    {
        using var tensors = new TensorThread();

        var map = await FeatureMap.LayOutAsync(Draw(count, 8, 2), tensors, CancellationToken.None);

        Assert.Equal(2 * count, map.Length);
        Assert.All(map, coordinate => Assert.True(float.IsFinite(coordinate)));
    }

    [Fact]
    public async Task Images_that_are_all_the_same_are_no_obstacle()
    {
        using var tensors = new TensorThread();

        var map = await FeatureMap.LayOutAsync(new FeatureMatrix(new float[50 * 8], 50, 8), tensors, CancellationToken.None);

        Assert.All(map, coordinate => Assert.True(float.IsFinite(coordinate)));
    }

    private static float Square(float[] map, int one, int other)
    {
        var (x, y) = (map[2 * one] - map[2 * other], map[(2 * one) + 1] - map[(2 * other) + 1]);
        return (x * x) + (y * y);
    }

    /// <summary>Images in groups, each around a middle of its own.</summary>
    private static FeatureMatrix Draw(int count, int size, int groups)
    {
        var random = new Random(0);
        var middles = Enumerable
            .Range(0, groups)
            .Select(_ => Enumerable.Range(0, size).Select(_ => random.NextSingle() * 6).ToArray())
            .ToList();
        var values = new float[count * size];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = middles[i / size % groups][i % size] + random.NextSingle();
        }

        return new FeatureMatrix(values, count, size);
    }
}
