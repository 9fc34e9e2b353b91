using System.Text.Json;

namespace Distributed.Datasets.Tests;

public sealed class ImageFolderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Class_folders_alone_are_unassigned_and_sorted()
    {
        Images("bees/2.png", "bees/1.jpg", "Ants/deeper/3", "Ants/b.txt");

        var listing = await ListAsync();

        Assert.Equal(SourceFormat.ImageFolder, listing.Format);
        Assert.Equal(Path.GetFileName(_directory.Root), listing.DisplayName);
        Assert.Equal(["Ants", "bees"], listing.ClassNames);
        Assert.Equal(
            [
                new ListedImage("Ants/b.txt", 0, SplitName.Unassigned),
                new ListedImage("Ants/deeper/3", 0, SplitName.Unassigned),
                new ListedImage("bees/1.jpg", 1, SplitName.Unassigned),
                new ListedImage("bees/2.png", 1, SplitName.Unassigned),
            ],
            listing.Entries);
        Assert.Null(listing.Folds);
    }

    [Theory]
    [InlineData("val")]
    [InlineData("valid")]
    [InlineData("Validation")]
    public async Task Three_split_folders_are_taken_as_they_are(string validation)
    {
        Images("train/a/1", "train/b/1", "train/b/2", $"{validation}/a/1", "test/b/1");

        var listing = await ListAsync();

        Assert.Equal([SplitName.Train, SplitName.Train, SplitName.Train, SplitName.Validation, SplitName.Test], listing.Entries.Select(entry => entry.Split));
        Assert.Equal([0, 1, 1, 0, 1], listing.Entries.Select(entry => entry.Label));
    }

    [Fact]
    public async Task Without_a_test_folder_the_validation_folder_is_the_test_split()
    {
        Images("train/a/1", "train/b/1", "val/a/1");

        Assert.Equal(SplitName.Test, (await ListAsync()).Entries[^1].Split);
    }

    [Fact]
    public async Task A_train_folder_alone_is_unassigned()
    {
        Images("train/a/1", "train/b/1");

        Assert.All((await ListAsync()).Entries, entry => Assert.Equal(SplitName.Unassigned, entry.Split));
    }

    [Fact]
    public async Task A_class_may_be_called_train()
    {
        Images("train/1", "car/1");

        Assert.Equal(["car", "train"], (await ListAsync()).ClassNames);
    }

    [Fact]
    public async Task Outer_folders_are_passed_through()
    {
        Images("archive/set/train/a/1", "archive/set/train/b/1", "archive/set/test/b/1");

        var listing = await ListAsync();

        Assert.Equal(_directory.At("archive", "set"), listing.Root);
        Assert.Equal("train/a/1", listing.Entries[0].Name);
    }

    [Fact]
    public async Task Hidden_files_and_what_systems_leave_behind_are_passed_over()
    {
        Images("a/1", "b/1", "a/.hidden", "a/Thumbs.db", "a/.git/1", ".thumbnails/1", "__MACOSX/1", "b/._1");

        Assert.Equal(["a/1", "b/1"], (await ListAsync()).Entries.Select(entry => entry.Name));
    }

    [Fact]
    public async Task Links_are_followed_to_files_inside_the_root_only()
    {
        using var elsewhere = new TemporaryDirectory();
        var secret = elsewhere.WriteImage("secret.png", 9);
        Images("a/1", "b/1");
        File.CreateSymbolicLink(_directory.At("a", "inside"), _directory.At("b", "1"));
        File.CreateSymbolicLink(_directory.At("a", "outside"), secret);
        File.CreateSymbolicLink(_directory.At("a", "dangling"), _directory.At("nothing"));
        Directory.CreateSymbolicLink(_directory.At("a", "circle"), _directory.Root);
        Directory.CreateSymbolicLink(_directory.At("b", "away"), elsewhere.Root);
        File.CreateSymbolicLink(_directory.At("b", "hidden-way"), _directory.At("b", "away", "secret.png"));

        Assert.Equal(["a/1", "a/inside", "b/1"], (await ListAsync()).Entries.Select(entry => entry.Name));
    }

    [Fact]
    public async Task The_fingerprint_changes_with_the_files_and_only_then()
    {
        Images("a/1", "b/1");
        var first = await ListAsync();
        var second = await ListAsync();
        File.SetLastWriteTimeUtc(_directory.At("a", "1"), DateTime.UtcNow.AddMinutes(1));
        var third = await ListAsync();

        Assert.Equal(first.Fingerprint, second.Fingerprint);
        Assert.NotEqual(first.Fingerprint, third.Fingerprint);
    }

    [Fact]
    public async Task A_listing_survives_JSON()
    {
        Images("train/a/1", "train/b/1", "test/b/1");
        var listing = await ListAsync();

        var json = JsonSerializer.Serialize(listing, DatasetJson.Options);
        var back = JsonSerializer.Deserialize<DatasetListing>(json, DatasetJson.Options)!;

        Assert.Contains("\"split\":\"train\"", json, StringComparison.Ordinal);
        Assert.Equal(listing.Entries, back.Entries);
        Assert.Equal(json, JsonSerializer.Serialize(back, DatasetJson.Options));
    }

    [Fact]
    public void Listings_of_earlier_versions_are_understood()
    {
        const string Earlier =
            """
            {"format":"imageFolder","root":"/data/set","displayName":"set","classNames":["a","b"],
             "entries":[{"name":"a/1","label":0,"split":"unassigned"},{"name":"b/1","label":1,"split":"unassigned"}],"folds":null,"fingerprint":"f"}
            """;

        var listing = JsonSerializer.Deserialize<DatasetListing>(Earlier, DatasetJson.Options)!;

        Assert.Empty(listing.Skipped);
        Assert.Empty(listing.Notes);
        Assert.Equal(2, listing.Entries.Count);
    }

    [Theory]
    [InlineData("single class", "a/1", "a/2")]
    [InlineData("no class folders", "1", "2")]
    [InlineData("'b'", "train/a/1", "train/b/.hidden", "test/a/1")]
    [InlineData("'dog'", "train/a/1", "train/b/1", "test/dog/1")]
    [InlineData("has no images", "train/a/1", "train/b/1", "test/a/.hidden")]
    [InlineData("mean the same split", "train/a/1", "train/b/1", "val/a/1", "valid/a/1")]
    [InlineData("has no images", "a/.hidden", "b/.hidden")]
    public async Task What_is_no_data_set_is_refused_with_the_reason(string reason, params string[] files)
    {
        Images(files);

        var refused = await Assert.ThrowsAsync<DatasetException>(ListAsync);

        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.Root, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_path_and_a_file_are_refused_by_name()
    {
        var file = _directory.WriteImage("archive.zip", 1);

        Assert.Contains("/nowhere/at/all", (await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync("/nowhere/at/all"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a file", (await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(file))).Message, StringComparison.Ordinal);
    }

    private void Images(params string[] names)
    {
        foreach (var (index, name) in names.Index())
        {
            _directory.WriteImage(name, index);
        }
    }

    private Task<DatasetListing> ListAsync() => DatasetSource.ListAsync(_directory.Root);
}
