using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Datasets.Splits;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

/// <summary>Real photos, which are no part of the repository: a folder that the variable DISTRIBUTED_TEST_DATA points to.</summary>
public sealed class PhotoTests
{
    [Fact]
    public async Task Ants_and_bees_are_listed_packed_and_split()
    {
        var fileIndex = await DatasetSource.ListAsync(Folder("hymenoptera"));

        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(224, FitMode.Crop, JpegDecoding.Full),
            Stream.Null
        );
        var manifest = DatasetManifest.Create(fileIndex, records);
        var split = DatasetSplit.Draw(manifest, 0, 0.1, 0.2);

        Assert.Equal(["ants", "bees"], manifest.ClassNames);
        Assert.Empty(SkipReasons.Find(fileIndex, records));
        Assert.True(split.Test.Length >= 150);
        Assert.All(split.Test, index => Assert.StartsWith("val/", manifest.Images[index].Name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_binary_layout_is_listed_with_its_folds_and_never_taken_for_the_official_set()
    {
        var fileIndex = await DatasetSource.ListAsync(Folder("stl10-shaped"));

        Assert.Equal("STL-10 layout", fileIndex.DisplayName);
        Assert.Equal((2000, 10, "frog"), (fileIndex.Entries.Count, fileIndex.Folds!.Count, fileIndex.ClassNames[7]));
        var manifest = DatasetManifest.Create(
            fileIndex,
            await ImagePacker.PackAsync(fileIndex, 0, 2000, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full), Stream.Null)
        );
        Assert.Equal(200, DatasetSplit.Draw(manifest, 0, 0, 0.2, fold: 9).Train.Length);
    }

    [Fact]
    public void Single_photos_decode()
    {
        var images = Directory.GetFiles(Folder("stl10-photos")).Select(file => ImageDecoder.Decode(File.ReadAllBytes(file)));

        Assert.All(images, image => Assert.Equal((96, 96), (image.Width, image.Height)));
    }

    private static string Folder(string name)
    {
        var root = Environment.GetEnvironmentVariable("DISTRIBUTED_TEST_DATA");
        Assert.SkipWhen(
            string.IsNullOrEmpty(root),
            "DISTRIBUTED_TEST_DATA is not set: it points to a folder with hymenoptera/, stl10-shaped/ and stl10-photos/."
        );
        return Path.Combine(root!, name);
    }
}
