using System.Text.Json;

namespace Distributed.Datasets.Tests;

public sealed class DatasetManifestTests
{
    private static readonly ListedImage[] Entries =
    [
        new("train/a/1", 0, SplitName.Train), new("train/a/2", 0, SplitName.Train), new("train/b/1", 1, SplitName.Train), new("train/b/2", 1, SplitName.Train),
        new("test/a/1", 0, SplitName.Test), new("test/b/1", 1, SplitName.Test),
    ];

    [Fact]
    public void Quarantined_images_are_listed_and_folds_follow_the_others()
    {
        var listing = Listings.Create(Entries, folds: [[0, 2], [1, 3]]);

        var manifest = DatasetManifest.Create(listing, Enumerable.Range(0, 6).Select(entry => Listings.Packed(entry, entry, entry == 1 ? "the file is cut short" : null)));

        Assert.Equal(["train/a/1", "train/b/1", "train/b/2", "test/a/1", "test/b/1"], manifest.Images.Select(image => image.Name));
        Assert.Equal([new QuarantinedImage("train/a/2", "the file is cut short")], manifest.Quarantined);
        Assert.Equal([[0, 1], [2]], manifest.Folds!);
    }

    [Fact]
    public void Equal_images_are_counted_within_and_across_splits()
    {
        var manifest = Listings.Manifest(
        [
            (0, SplitName.Train, 1), (0, SplitName.Train, 1), (1, SplitName.Train, 1), (1, SplitName.Train, 2), (0, SplitName.Test, 2), (1, SplitName.Test, 3),
        ]);

        Assert.Equal(new DuplicateSummary(Groups: 2, WithinSplits: 2, AcrossSplits: 1, DifferentLabels: 2), manifest.Duplicates);
    }

    [Fact]
    public void The_identity_is_that_of_images_labels_splits_names_and_folds_alone()
    {
        var original = Create(Listings.Create(Entries, folds: [[0, 2]]));

        Assert.Equal(original.Sha256, Create(Listings.Create(Entries, folds: [[0, 2]]) with { DisplayName = "other", Root = "/elsewhere", Fingerprint = "1" }).Sha256);
        Assert.Equal(original.Sha256, Create(Listings.Create([.. Entries.Select(entry => entry with { Name = "renamed " + entry.Name })], folds: [[0, 2]])).Sha256);
        Assert.Equal(
            6,
            new[]
            {
                original,
                Create(Listings.Create(Entries)),
                Create(Listings.Create(Entries, folds: [[0, 3]])),
                Create(Listings.Create(Entries, folds: [[0, 2]]), content: 100),
                Create(Listings.Create(Entries, folds: [[0, 2]]) with { ClassNames = ["class0", "other"] }),
                Create(Listings.Create([Entries[0], Entries[1] with { Split = SplitName.Validation }, .. Entries[2..]], folds: [[0, 2]])),
            }.Select(manifest => manifest.Sha256).Distinct().Count());
    }

    [Fact]
    public void A_manifest_survives_JSON()
    {
        var manifest = Create(Listings.Create(Entries, folds: [[0, 2]]));

        var back = JsonSerializer.Deserialize<DatasetManifest>(JsonSerializer.Serialize(manifest, DatasetJson.Options), DatasetJson.Options)!;

        Assert.Equal(manifest.Images, back.Images);
        Assert.Equal(manifest.Folds!, back.Folds!);
        Assert.Equal((manifest.Sha256, manifest.Duplicates, manifest.Format), (back.Sha256, back.Duplicates, back.Format));
    }

    [Theory]
    [InlineData("no usable images", 0, 1, 2, 3, 4, 5)]
    [InlineData("'class1'", 2, 3)]
    [InlineData("no usable test images", 4, 5)]
    public void Too_little_left_is_refused_with_the_first_reason(string complaint, params int[] quarantined)
    {
        var refused = Assert.Throws<DatasetException>(() => DatasetManifest.Create(
            Listings.Create(Entries), Enumerable.Range(0, 6).Select(entry => Listings.Packed(entry, entry, quarantined.Contains(entry) ? "the file is empty" : null))));

        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
        Assert.Contains(Entries[quarantined[0]].Name, refused.Message, StringComparison.Ordinal);
        Assert.Contains("the file is empty", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Records_that_are_not_those_of_the_listing_are_a_mistake_of_the_caller()
    {
        var listing = Listings.Create(Entries);

        Assert.Throws<ArgumentException>(() => DatasetManifest.Create(listing, Enumerable.Range(0, 5).Select(entry => Listings.Packed(entry, entry))));
        Assert.Throws<ArgumentException>(() => DatasetManifest.Create(listing, Enumerable.Range(0, 7).Select(entry => Listings.Packed(entry, entry))));
        Assert.Throws<ArgumentException>(() => DatasetManifest.Create(listing, Enumerable.Range(1, 6).Select(entry => Listings.Packed(entry, entry))));
    }

    private static DatasetManifest Create(DatasetListing listing, int content = 0) =>
        DatasetManifest.Create(listing, Enumerable.Range(0, listing.Entries.Count).Select(entry => Listings.Packed(entry, content + entry)));
}
