using Distributed.Vision.Evidence;
using Distributed.Vision.Features;

namespace Distributed.Vision.Tests.Evidence;

public sealed class NearestImagesTests
{
    private const int Size = 12;

    [Fact]
    public void The_nearest_are_those_of_a_plain_search()
    {
        var (images, queries) = (Draw(40, 1500), Draw(41, 1100));
        using var nearest = new NearestImages(images);

        var found = nearest.Find(queries, 3, TestContext.Current.CancellationToken);

        Assert.Equal(queries.Count, found.Count);
        foreach (var query in (int[])[0, 1, 1023, 1024, 1099])
        {
            var plain = Enumerable
                .Range(0, images.Count)
                .Select(row => (Row: row, Cosine: Cosine(Standardise(images, queries.Row(query)), Standardise(images, images.Row(row)))))
                .OrderByDescending(pair => pair.Cosine)
                .Take(3)
                .ToList();
            Assert.Equal(plain.Select(pair => pair.Row), found[query].Select(near => near.Row));
            Assert.All(plain.Zip(found[query]), pair => Assert.Equal(pair.First.Cosine, pair.Second.Similarity, 1e-5));
        }
    }

    [Fact]
    public void Of_few_images_all_are_found()
    {
        using var nearest = new NearestImages(Draw(42, 2));

        Assert.All(nearest.Find(Draw(43, 5), 3, TestContext.Current.CancellationToken), near => Assert.Equal(2, near.Length));
    }

    private static FeatureMatrix Draw(int stream, int count) =>
        new(Array.ConvertAll(GoldenData.Draw(stream, count * Size), value => (float)value), count, Size);

    private static double[] Standardise(FeatureMatrix images, ReadOnlySpan<float> row)
    {
        var standard = new double[Size];
        for (var i = 0; i < Size; i++)
        {
            var values = Enumerable.Range(0, images.Count).Select(image => (double)images.Row(image)[i]).ToList();
            var mean = values.Average();
            standard[i] = (row[i] - mean) / Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
        }

        return standard;
    }

    private static double Cosine(double[] left, double[] right) =>
        left.Zip(right, (l, r) => l * r).Sum() / Math.Sqrt(left.Sum(l => l * l) * right.Sum(r => r * r));
}
