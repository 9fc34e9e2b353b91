using System.Security.Cryptography;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

public sealed class SampleDatasetTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_set_is_read_back_by_the_reader_of_the_layout()
    {
        await SampleDataset.WriteAsync(_directory.Root, seed: 0, trainImages: 105, testImages: 50);

        var fileIndex = await DatasetSource.ListAsync(_directory.Root);

        Assert.Equal("STL-10 layout", fileIndex.DisplayName);
        Assert.Equal(SampleDataset.ClassNames, fileIndex.ClassNames);
        Assert.Equal(
            ["disc", "square", "triangle", "star", "ring", "cross", "stripes", "checkerboard", "spots", "waves"],
            fileIndex.ClassNames
        );
        Assert.Equal(
            (105, 50),
            (
                fileIndex.Entries.Count(entry => entry.Split == SplitName.Train),
                fileIndex.Entries.Count(entry => entry.Split == SplitName.Test)
            )
        );
        Assert.All(
            fileIndex.Entries.Where(entry => entry.Split == SplitName.Test).CountBy(entry => entry.Label),
            group => Assert.Equal(5, group.Value)
        );
        Assert.Equal(10, fileIndex.Folds!.Count);
        Assert.All(
            fileIndex.Folds,
            fold =>
                Assert.Equal(
                    Enumerable.Repeat(2, 10),
                    fold.CountBy(index => fileIndex.Entries[index].Label).OrderBy(group => group.Key).Select(group => group.Value)
                )
        );
        Assert.Equal(6, Directory.GetFiles(_directory.Root).Length);
    }

    [Fact]
    public async Task A_seed_gives_the_same_bytes_on_every_machine()
    {
        await SampleDataset.WriteAsync(_directory.At("a"), seed: 7, trainImages: 20, testImages: 10);
        await SampleDataset.WriteAsync(_directory.At("b"), seed: 8, trainImages: 20, testImages: 10);

        var images = await File.ReadAllBytesAsync(_directory.At("a", Stl10Files.TrainImages));
        Assert.NotEqual(images, await File.ReadAllBytesAsync(_directory.At("b", Stl10Files.TrainImages)));
        // Pinned: a change of it changes every figure that was measured on the set.
        Assert.Equal("add6c21c2ce162df7aa2f1ef855b0b284baa23b309cfa82a477cb07b0a94c40d", Convert.ToHexStringLower(SHA256.HashData(images)));
    }

    [Fact]
    public async Task No_two_images_are_equal()
    {
        await SampleDataset.WriteAsync(_directory.Root, seed: 0, trainImages: 200, testImages: 100);
        var fileIndex = await DatasetSource.ListAsync(_directory.Root);

        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            300,
            new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full),
            Stream.Null
        );

        Assert.Equal(300, records.Select(record => record.Sha256).Distinct().Count());
    }

    [Fact]
    public async Task Colour_alone_says_next_to_nothing_about_the_class()
    {
        await SampleDataset.WriteAsync(_directory.Root, seed: 0);
        var fileIndex = await DatasetSource.ListAsync(_directory.Root);
        using var pack = new MemoryStream();
        await ImagePacker.PackAsync(fileIndex, 0, fileIndex.Entries.Count, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full), pack);
        var features = pack.ToArray().Chunk(Stl10Files.ImageBytes).Select(ColourFeatures).ToArray();
        var train = Enumerable.Range(0, features.Length).Where(index => fileIndex.Entries[index].Split == SplitName.Train).ToArray();
        var test = Enumerable.Range(0, features.Length).Except(train).ToArray();
        Standardize(features, train);

        // Chance is 0.1 ± 0.027 (two standard errors on 500 images).
        Assert.InRange(NearestCentroid(fileIndex, features, train, test), 0.0, 0.17);
        Assert.InRange(NearestNeighbour(fileIndex, features, train, test), 0.0, 0.17);
    }

    private static double[] ColourFeatures(byte[] pixels)
    {
        const int Bins = 8;
        var features = new double[3 * (Bins + 2)];
        for (var i = 0; i < pixels.Length; i++)
        {
            var channel = features.AsSpan(i % 3 * (Bins + 2), Bins + 2);
            channel[pixels[i] * Bins / 256]++;
            channel[Bins] += pixels[i];
            channel[Bins + 1] += pixels[i] * (double)pixels[i];
        }

        return features;
    }

    private static void Standardize(double[][] features, int[] train)
    {
        for (var column = 0; column < features[0].Length; column++)
        {
            var mean = train.Average(index => features[index][column]);
            var deviation = Math.Sqrt(train.Average(index => Math.Pow(features[index][column] - mean, 2)));
            foreach (var row in features)
            {
                row[column] = (row[column] - mean) / deviation;
            }
        }
    }

    private static double NearestCentroid(FileIndex fileIndex, double[][] features, int[] train, int[] test)
    {
        var centroids = train
            .GroupBy(index => fileIndex.Entries[index].Label)
            .OrderBy(group => group.Key)
            .Select(group =>
                Enumerable.Range(0, features[0].Length).Select(column => group.Average(index => features[index][column])).ToArray()
            )
            .ToArray();
        return test.Average(index => Nearest(centroids, features[index]) == fileIndex.Entries[index].Label ? 1.0 : 0.0);
    }

    private static double NearestNeighbour(FileIndex fileIndex, double[][] features, int[] train, int[] test)
    {
        double[][] known = [.. train.Select(index => features[index])];
        return test.Average(index =>
            fileIndex.Entries[train[Nearest(known, features[index])]].Label == fileIndex.Entries[index].Label ? 1.0 : 0.0
        );
    }

    private static int Nearest(double[][] points, double[] point)
    {
        var (best, least) = (0, double.MaxValue);
        for (var i = 0; i < points.Length; i++)
        {
            var distance = 0.0;
            for (var column = 0; column < point.Length; column++)
            {
                distance += (points[i][column] - point[column]) * (points[i][column] - point[column]);
            }

            (best, least) = distance < least ? (i, distance) : (best, least);
        }

        return best;
    }
}
