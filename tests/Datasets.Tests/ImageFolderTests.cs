using System.Text.Json;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tests;

public sealed class ImageFolderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Class_folders_alone_are_unassigned_and_sorted()
    {
        Images("bees/2.png", "bees/1.jpg", "Ants/deeper/3", "Ants/b.txt");

        var fileIndex = await ListAsync();

        Assert.Equal(SourceFormat.ImageFolder, fileIndex.Format);
        Assert.Equal(Path.GetFileName(_directory.Root), fileIndex.DisplayName);
        Assert.Equal(["Ants", "bees"], fileIndex.ClassNames);
        Assert.Equal(
            [
                new ListedImage("Ants/b.txt", 0, SplitName.Unassigned),
                new ListedImage("Ants/deeper/3", 0, SplitName.Unassigned),
                new ListedImage("bees/1.jpg", 1, SplitName.Unassigned),
                new ListedImage("bees/2.png", 1, SplitName.Unassigned),
            ],
            fileIndex.Entries
        );
        Assert.Null(fileIndex.Folds);
    }

    [Fact]
    public async Task Where_classes_are_not_asked_for_all_images_in_whatever_folders_are_listed_without_labels()
    {
        Images("2.png", "train/a/1", "train/b/1", "test/b/1", "cat/train/3.jpg");

        var fileIndex = await DatasetSource.ListImagesAsync(_directory.Root);

        Assert.Empty(fileIndex.ClassNames);
        Assert.Equal(["2.png", "cat/train/3.jpg", "test/b/1", "train/a/1", "train/b/1"], fileIndex.Entries.Select(entry => entry.Name));
        Assert.All(fileIndex.Entries, entry => Assert.Equal(SplitName.Unassigned, entry.Split));
    }

    [Fact]
    public async Task Where_classes_are_not_asked_for_a_folder_without_images_is_refused_all_the_same()
    {
        Directory.CreateDirectory(Path.Combine(_directory.Root, "empty"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListImagesAsync(_directory.Root));

        Assert.Equal($"'{_directory.Root}' has no images.", refused.Message);
    }

    [Theory]
    [InlineData("train", "val", "test")]
    [InlineData("train", "valid", "test")]
    [InlineData("TRAIN", "Validation", "Test")]
    [InlineData("Training", "dev", "Testing")]
    [InlineData("training_set", "val-set", "evaluation")]
    [InlineData("trainset", "devset", "eval set")]
    public async Task Split_folders_in_any_case_are_splits(string train, string validation, string test)
    {
        Images($"{train}/a/1", $"{train}/b/1", $"{train}/b/2", $"{validation}/a/1", $"{test}/b/1");

        var fileIndex = await ListAsync();

        Assert.Equal(["a", "b"], fileIndex.ClassNames);
        Assert.Equal(
            [SplitName.Train, SplitName.Train, SplitName.Train, SplitName.Validation, SplitName.Test],
            fileIndex.Entries.Select(entry => entry.Split)
        );
        Assert.Equal([0, 1, 1, 0, 1], fileIndex.Entries.Select(entry => entry.Label));
    }

    [Fact]
    public async Task Names_of_splits_that_are_not_plain_are_told()
    {
        Images("train/a/1", "train/b/1", "Testing/a/1", "Testing/b/1");

        Assert.Equal(["'Testing' is read as the test split."], (await ListAsync()).Notes);
    }

    [Fact]
    public async Task Without_a_test_folder_the_validation_folder_is_the_test_split()
    {
        Images("train/a/1", "train/b/1", "val/a/1", "val/b/1");

        var fileIndex = await ListAsync();

        Assert.Equal(SplitName.Test, fileIndex.Entries[^1].Split);
        Assert.Equal(["There is no test folder, so 'val' is the test split; validation images are drawn from 'train'."], fileIndex.Notes);
    }

    [Theory]
    [InlineData("train")]
    [InlineData("validation")]
    public async Task One_split_folder_alone_is_unassigned(string only)
    {
        Images($"{only}/a/1", $"{only}/b/1");

        var fileIndex = await ListAsync();

        Assert.All(fileIndex.Entries, entry => Assert.Equal(SplitName.Unassigned, entry.Split));
        Assert.Equal([$"There is only '{only}', so training, validation and test images are drawn from it."], fileIndex.Notes);
    }

    [Fact]
    public async Task Without_a_train_folder_the_validation_folder_is_trained_on()
    {
        Images("dev/a/1", "dev/b/1", "test/a/1", "test/b/1");

        var fileIndex = await ListAsync();

        Assert.Equal([SplitName.Train, SplitName.Train, SplitName.Test, SplitName.Test], fileIndex.Entries.Select(entry => entry.Split));
        Assert.Equal(
            [
                "'dev' is read as the validation split.",
                "There is no train folder, so 'dev' is what is trained on; validation images are drawn from it.",
            ],
            fileIndex.Notes
        );
    }

    [Fact]
    public async Task Below_a_split_every_folder_is_a_class()
    {
        Images("train/train/1", "train/car/1", "train/test/1");

        Assert.Equal(["car", "test", "train"], (await ListAsync()).ClassNames);
    }

    [Fact]
    public async Task Outer_folders_are_passed_through()
    {
        Images("archive/set/train/a/1", "archive/set/train/b/1", "archive/set/test/a/1", "archive/set/test/b/1");

        var fileIndex = await ListAsync();

        Assert.Equal(_directory.At("archive", "set"), fileIndex.Root);
        Assert.Equal("train/a/1", fileIndex.Entries[0].Name);
        Assert.Equal(["The data set is the folder 'archive/set' inside."], fileIndex.Notes);
    }

    [Fact]
    public async Task A_license_beside_the_folders_hinders_nothing_and_is_told()
    {
        Images("flowers/daisy/1.jpg", "flowers/rose/1.jpg", "flowers/LICENSE.txt");

        var fileIndex = await ListAsync();

        Assert.Equal(["daisy", "rose"], fileIndex.ClassNames);
        Assert.Equal("1 file in 'flowers' beside the folders is not read: 'LICENSE.txt'.", fileIndex.Notes[^1]);
    }

    [Fact]
    public async Task A_split_that_was_packed_twice_is_one()
    {
        Images("training_set/training_set/a/1", "training_set/training_set/b/1", "test_set/test_set/a/1", "test_set/test_set/b/1");

        var fileIndex = await ListAsync();

        Assert.Equal(["a", "b"], fileIndex.ClassNames);
        Assert.Equal("test_set/test_set/b/1", fileIndex.Entries[^1].Name);
        Assert.Equal(SplitName.Test, fileIndex.Entries[^1].Split);
    }

    [Fact]
    public async Task Classes_that_a_split_lacks_are_told()
    {
        Images("train/a/1", "train/b/1", "test/b/1");

        Assert.Equal(["'test' has no images of the class 'a'."], (await ListAsync()).Notes);
    }

    [Theory]
    [InlineData("'test' beside 'cat', 'dog'", "cat/1", "dog/1", "test/1")]
    [InlineData("'train' beside 'bus', 'car'", "train/1", "car/1", "bus/1")]
    [InlineData("'train' beside 'holdout'", "train/a/1", "train/b/1", "holdout/a/1")]
    [InlineData("'Test', 'train' beside 'unlabeled'", "train/a/1", "train/b/1", "Test/a/1", "unlabeled/1")]
    [InlineData("'seg_test', 'seg_train', which look like splits", "seg_train/a/1", "seg_train/b/1", "seg_test/a/1", "seg_test/b/1")]
    [InlineData(
        "'seg_test', 'seg_train', which look like splits",
        "seg_train/a/1",
        "seg_train/b/1",
        "seg_train/labels.csv",
        "seg_test/a/1",
        "seg_test/b/1"
    )]
    [InlineData(
        "'train_data', which looks like a split and is not named so",
        "train_data/a/1",
        "train_data/b/1",
        "holdout/a/1",
        "holdout/b/1"
    )]
    [InlineData("'Val', 'validation', which mean the same split (validation)", "train/a/1", "train/b/1", "Val/a/1", "validation/a/1")]
    public async Task What_is_ambiguous_is_refused_with_the_folders_found(string found, params string[] files)
    {
        Images(files);

        var refused = await Assert.ThrowsAsync<DatasetException>(ListAsync);

        Assert.Contains(found, refused.Message, StringComparison.Ordinal);
        Assert.True(
            found.Contains("same split", StringComparison.Ordinal)
                || refused.Message.Contains(SplitFolders.Understood, StringComparison.Ordinal),
            refused.Message
        );
    }

    [Fact]
    public async Task Hidden_files_and_what_systems_leave_behind_are_passed_over()
    {
        Images("a/1", "b/1", "a/.hidden", "a/Thumbs.db", "a/.git/1", ".thumbnails/1", "__MACOSX/1", "b/._1");

        Assert.Equal(["a/1", "b/1"], (await ListAsync()).Entries.Select(entry => entry.Name));
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
    public async Task A_file_index_survives_JSON()
    {
        Images("train/a/1", "train/b/1", "test/b/1");
        var fileIndex = await ListAsync();

        var json = JsonSerializer.Serialize(fileIndex, DatasetJson.Options);
        var back = JsonSerializer.Deserialize<FileIndex>(json, DatasetJson.Options)!;

        Assert.Contains("\"split\":\"train\"", json, StringComparison.Ordinal);
        Assert.Equal(fileIndex.Entries, back.Entries);
        Assert.Equal(json, JsonSerializer.Serialize(back, DatasetJson.Options));
    }

    [Fact]
    public void File_indexes_of_earlier_versions_are_understood()
    {
        const string Earlier = """
            {"format":"imageFolder","root":"/data/set","displayName":"set","classNames":["a","b"],
             "entries":[{"name":"a/1","label":0,"split":"unassigned"},{"name":"b/1","label":1,"split":"unassigned"}],"folds":null,"fingerprint":"f"}
            """;

        var fileIndex = JsonSerializer.Deserialize<FileIndex>(Earlier, DatasetJson.Options)!;

        Assert.Empty(fileIndex.Skipped);
        Assert.Empty(fileIndex.Notes);
        Assert.Equal(2, fileIndex.Entries.Count);
    }

    [Theory]
    [InlineData("single class", "a/1", "a/2")]
    [InlineData("no class folders", "1", "2")]
    [InlineData("'b'", "train/a/1", "train/b/.hidden", "test/a/1")]
    [InlineData("'dog'", "train/a/1", "train/b/1", "test/dog/1")]
    [InlineData("has no images", "train/a/1", "train/b/1", "test/a/.hidden")]
    [InlineData("mean the same split", "train/a/1", "train/b/1", "val/a/1", "valid/a/1")]
    [InlineData("has no images", "a/.hidden", "b/.hidden")]
    [InlineData("has 'test' and no images to train on", "test/a/1", "test/b/1")]
    [InlineData("'EVAL' itself", "EVAL/a/1", "EVAL/b/1")]
    [InlineData("has no class folders, and its name is that of a split", "train/a/1", "train/b/1", "test/1")]
    [InlineData("has no class folders, and its name is that of a split", "train/1", "test/1")]
    [InlineData("holds 'test', 'train', which are names of splits", "cat/train/1", "cat/test/1", "dog/train/1", "dog/test/1")]
    [InlineData("move the images to Train/cat", "cat/Train/1", "dog/Train/1")]
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

        Assert.Contains(
            "/nowhere/at/all",
            (await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync("/nowhere/at/all"))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "is a file",
            (await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(file))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Two_Unicode_forms_of_a_name_are_one_class()
    {
        const string Composed = "caf\u00e9";
        const string Decomposed = "cafe\u0301";
        Images($"train/{Composed}/1", $"train/{Decomposed}/2", "train/tea/1", $"test/{Decomposed}/1", "test/tea/1");

        var fileIndex = await ListAsync();

        Assert.Equal([Composed, "tea"], fileIndex.ClassNames);
        Assert.Equal([0, 0, 1, 0, 1], fileIndex.Entries.Select(entry => entry.Label));
        Assert.Equal([$"2 folders in 'train' have the name '{Composed}' in different Unicode forms; they are one class."], fileIndex.Notes);
    }

    [Theory]
    // The Unicode standard's own examples: one character or two, singletons, marks in another order, Hangul, an excluded composition.
    [InlineData("\u00c5", "A\u030a")]
    [InlineData("\u00c5", "\u212b")]
    [InlineData("\u1e69", "s\u0307\u0323")]
    [InlineData("\ud55c", "\u1112\u1161\u11ab")]
    [InlineData("\u0915\u093c", "\u0958")]
    [InlineData("\ufb01", "\ufb01")]
    public void Names_are_read_in_the_composed_form(string composed, string text) => Assert.Equal(composed, ClassName.Read(text, "folder"));

    [Fact]
    public async Task A_class_name_has_200_characters_at_most()
    {
        Images($"{new string('x', 200)}/1", "b/1");
        Assert.Equal(2, (await ListAsync()).ClassNames.Count);

        // An é is one character, in whatever form it is written.
        Images($"{string.Concat(Enumerable.Repeat("e\u0301", 80))}/1");
        Assert.Equal(3, (await ListAsync()).ClassNames.Count);

        Images($"{new string('x', 201)}/1");
        Assert.Contains(
            "a name has 1 to 200 characters",
            (await Assert.ThrowsAsync<DatasetException>(ListAsync)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_class_name_has_no_control_characters()
    {
        Images("a\nb/1", "c/1");

        Assert.Contains(
            "without control characters",
            (await Assert.ThrowsAsync<DatasetException>(ListAsync)).Message,
            StringComparison.Ordinal
        );
    }

    private void Images(params string[] names)
    {
        foreach (var (index, name) in names.Index())
        {
            _directory.WriteImage(name, index);
        }
    }

    private Task<FileIndex> ListAsync() => DatasetSource.ListAsync(_directory.Root);
}
