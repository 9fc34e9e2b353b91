using System.Text;
using CsCheck;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tests;

public sealed class Stl10LayoutTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Sizes_counts_and_names_come_from_the_files()
    {
        Write("stl10_binary/", trainLabels: [2, 1, 3], testLabels: [3], folds: "0 2\n1\n");

        var fileIndex = await DatasetSource.ListAsync(_directory.Root);

        Assert.Equal(_directory.At("stl10_binary"), fileIndex.Root);
        Assert.Equal((SourceFormat.Stl10Binary, "STL-10 layout"), (fileIndex.Format, fileIndex.DisplayName));
        Assert.Equal(["x", "y", "z"], fileIndex.ClassNames);
        Assert.Equal(
            [
                new ListedImage("train_X.bin#0", 1, SplitName.Train),
                new ListedImage("train_X.bin#1", 0, SplitName.Train),
                new ListedImage("train_X.bin#2", 2, SplitName.Train),
                new ListedImage("test_X.bin#0", 2, SplitName.Test),
            ],
            fileIndex.Entries
        );
        Assert.Equal(
            [
                [0, 2],
                [1],
            ],
            fileIndex.Folds!
        );
    }

    [Fact]
    public async Task Folds_are_optional()
    {
        Write("", [1, 2, 3], [1], folds: null);

        Assert.Null((await DatasetSource.ListAsync(_directory.Root)).Folds);
    }

    [Fact]
    public void Pixels_are_kept_in_columns_of_planes()
    {
        var planes = new byte[Stl10Files.ImageBytes];
        const int Channel = 2,
            Row = 7,
            Column = 50;
        planes[(Channel * 9216) + (Column * 96) + Row] = 99;

        var image = Stl10Layout.ToImage(planes);

        Assert.Equal(99, image.Pixels[(((Row * 96) + Column) * 3) + Channel]);
        Assert.Equal(99, image.Pixels.Sum(value => value));
    }

    [Fact]
    public void The_layout_survives_both_ways() =>
        Gen.Int.Sample(
            seed =>
            {
                var planes = new byte[Stl10Files.ImageBytes];
                new Random(seed).NextBytes(planes);
                var back = new byte[Stl10Files.ImageBytes];
                Stl10Layout.ToPlanes(Stl10Layout.ToImage(planes).Pixels, back);
                Assert.Equal(planes, back);
            },
            iter: 20
        );

    [Fact]
    public async Task A_file_of_images_that_is_cut_short_is_refused_with_its_size()
    {
        Write("", [1, 2], [1], folds: null);
        await File.WriteAllBytesAsync(_directory.At("test_X.bin"), new byte[27_647]);

        await AssertRefusedAsync("test_X.bin", "27647", "27648");
    }

    [Fact]
    public async Task Different_numbers_of_images_and_labels_are_refused()
    {
        Write("", [1, 2], [1], folds: null);
        await File.WriteAllBytesAsync(_directory.At("train_y.bin"), [1, 2, 1]);

        await AssertRefusedAsync("2 images", "3 labels");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task A_label_without_a_class_is_refused_with_its_place(byte label)
    {
        Write("", [1, 2, 3, label], [1], folds: null);

        await AssertRefusedAsync("train_y.bin", $"label {label} for image 3", "1 to 3");
    }

    [Theory]
    [InlineData("class_names.txt")]
    [InlineData("train_y.bin")]
    [InlineData("test_X.bin")]
    [InlineData("test_y.bin")]
    public async Task A_missing_file_is_refused_by_name(string name)
    {
        Write("", [1, 2, 3], [1], folds: null);
        File.Delete(_directory.At(name));

        await AssertRefusedAsync(name, "missing");
    }

    [Theory]
    [InlineData("x\ny\nz\n", "'y', 'z'")]
    [InlineData("x\ny\nx\n", "'x' 2 times")]
    [InlineData(" \n", "empty")]
    [InlineData("x\n", "single class")]
    public async Task Bad_class_names_are_refused(string names, string reason)
    {
        Write("", [1, 1], [1], folds: null);
        await File.WriteAllTextAsync(_directory.At("class_names.txt"), names);

        await AssertRefusedAsync(reason);
    }

    [Theory]
    [InlineData("0 1\n3\n", "fold 1", "'3'")]
    [InlineData("0 -1\n", "'-1'")]
    [InlineData("0 one\n", "'one'")]
    [InlineData("0 1 0\n", "the index 0 stands there twice")]
    [InlineData("0 99999999999999999999999\n", "'99999999999999999999…'")]
    [InlineData("\n", "no folds")]
    public async Task Bad_folds_are_refused_with_line_and_value(string folds, params string[] reasons)
    {
        Write("", [1, 2, 3], [1], folds);

        await AssertRefusedAsync(reasons);
    }

    [Theory]
    [InlineData("class_names.txt", 256 << 20)]
    [InlineData("fold_indices.txt", 1 << 30)]
    public async Task Text_files_that_are_far_too_long_are_refused_unread(string name, long length)
    {
        Write("", [1, 2, 3], [1], "0");
        using (var file = new FileStream(_directory.At(name), FileMode.Open))
        {
            file.SetLength(length);
        }

        var before = GC.GetTotalAllocatedBytes(precise: true);
        await AssertRefusedAsync(name, $"{length} bytes");
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 16 << 20);
    }

    [Fact]
    public async Task More_images_than_a_data_set_may_have_are_refused_before_their_labels_are_read()
    {
        Write("", [1, 2, 3], [1], folds: null);
        foreach (var (name, length) in new[] { ("train_X.bin", 27_648L), ("train_y.bin", 1L) })
        {
            using var file = new FileStream(_directory.At(name), FileMode.Open);
            file.SetLength(length * (DatasetSource.MaximalImages + 1));
        }

        await AssertRefusedAsync("more than 5000000 images");
    }

    [Fact]
    public async Task A_link_that_leads_out_of_the_directory_is_refused()
    {
        Write("set/", [1, 2, 3], [1], folds: null);
        File.Move(_directory.At("set", "class_names.txt"), _directory.At("private.txt"));
        File.CreateSymbolicLink(_directory.At("set", "class_names.txt"), _directory.At("private.txt"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(_directory.At("set")));

        Assert.Contains("leads out", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_class_name_that_no_database_takes_is_refused_in_plain_text()
    {
        Write("", [1, 2, 3], [1], folds: null);
        await File.WriteAllTextAsync(_directory.At("class_names.txt"), "x\ny\nz\0\u0007\n");

        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(_directory.Root));

        Assert.Contains("control characters", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(refused.Message, char.IsControl);
    }

    [Fact]
    public async Task Any_bytes_in_the_small_files_are_listed_or_refused_and_nothing_else()
    {
        Write("", [1, 2, 3], [1], folds: "0 1\n2\n");
        var original = await DatasetSource.ListAsync(_directory.Root);
        await Gen.Select(
                Gen.OneOf(Gen.Const("class_names.txt"), Gen.Const("fold_indices.txt"), Gen.Const("train_y.bin")),
                Gen.Byte.Array[0, 12]
            )
            .SampleAsync(
                async (name, content) =>
                {
                    var before = await File.ReadAllBytesAsync(_directory.At(name));
                    await File.WriteAllBytesAsync(_directory.At(name), content);
                    try
                    {
                        Assert.Equal(original.Entries.Count, (await DatasetSource.ListAsync(_directory.Root)).Entries.Count);
                    }
                    catch (DatasetException refused)
                    {
                        Assert.NotEmpty(refused.Message);
                    }

                    await File.WriteAllBytesAsync(_directory.At(name), before);
                },
                iter: 300,
                threads: 1
            );
    }

    private void Write(string folder, byte[] trainLabels, byte[] testLabels, string? folds)
    {
        _directory.Write(folder + "train_X.bin", new byte[trainLabels.Length * Stl10Files.ImageBytes]);
        _directory.Write(folder + "train_y.bin", trainLabels);
        _directory.Write(folder + "test_X.bin", new byte[testLabels.Length * Stl10Files.ImageBytes]);
        _directory.Write(folder + "test_y.bin", testLabels);
        _directory.Write(folder + "class_names.txt", "x\ny\nz\n"u8.ToArray());
        if (folds is not null)
        {
            _directory.Write(folder + "fold_indices.txt", Encoding.UTF8.GetBytes(folds));
        }
    }

    private async Task AssertRefusedAsync(params string[] reasons)
    {
        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(_directory.Root));
        Assert.All(reasons, reason => Assert.Contains(reason, refused.Message, StringComparison.Ordinal));
    }
}
