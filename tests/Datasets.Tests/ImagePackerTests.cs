using System.Security.Cryptography;
using System.Text;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Datasets.Splits;
using Distributed.Imaging;
using Distributed.Imaging.Tests;
using Distributed.Storage;

namespace Distributed.Datasets.Tests;

public sealed class ImagePackerTests : IDisposable
{
    private const int Size = 16;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Slices_one_after_the_other_equal_the_whole()
    {
        var fileIndex = await FolderAsync(images: 60);
        using var whole = new MemoryStream();
        using var slices = new MemoryStream();

        var records = await ImagePacker.PackAsync(fileIndex, 0, 60, new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full), whole);
        var sliced = new List<PackedImage>();
        foreach (var (first, count) in new[] { (0, 25), (25, 0), (25, 34), (59, 1) })
        {
            sliced.AddRange(
                await ImagePacker.PackAsync(fileIndex, first, count, new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full), slices)
            );
        }

        Assert.Equal(records, sliced);
        Assert.Equal(whole.ToArray(), slices.ToArray());
        Assert.Equal(60 * Size * Size * 3, whole.Length);
        Assert.Equal(Enumerable.Range(0, 60), records.Select(record => record.Entry));
        var file = await File.ReadAllBytesAsync(_directory.At(fileIndex.Entries[7].Name));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(file)), records[7].Sha256);
        Assert.Equal(
            ImageFitting.Fit(ImageDecoder.Decode(file), Size, FitMode.Crop),
            whole.ToArray().AsSpan(7 * Size * Size * 3, Size * Size * 3)
        );
    }

    [Fact]
    public async Task What_cannot_be_used_is_skipped_with_its_reason_and_stops_nothing()
    {
        await FolderAsync(images: 8);
        _directory.Write("a/!0-empty.jpg", []);
        _directory.Write("a/!1-text.jpg", "no image"u8.ToArray());
        _directory.Write("a/!2-cut.jpg", GoldenFile.Decoded("jpeg").File[..^100]);
        _directory.Write("a/!3-tiny.png", PngEncoder.Encode(new byte[4 * 4 * 3], 4, 4));
        var fileIndex = await DatasetSource.ListAsync(_directory.Root);
        using var pack = new MemoryStream();

        var records = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(Size, FitMode.Pad, JpegDecoding.Full),
            pack
        );

        Assert.Equal(
            [
                "the file is empty, or a pipe, socket or device",
                "it is a text file and not an image; remove it",
                "the file is cut short",
                "the image is 4×4 pixels; each side needs at least 8",
            ],
            records.Take(4).Select(record => record.Skipped)
        );
        Assert.All(records.Skip(4), record => Assert.Null(record.Skipped));
        Assert.All(records, record => Assert.Equal(64, record.Sha256.Length));
        Assert.Equal(8 * Size * Size * 3, pack.Length);
    }

    [Fact]
    public async Task A_file_that_vanished_is_an_error_and_not_a_bad_image()
    {
        var fileIndex = await FolderAsync(images: 40);
        File.Delete(_directory.At(fileIndex.Entries[20].Name));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            ImagePacker.PackAsync(fileIndex, 0, 40, new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full), Stream.Null)
        );
        Assert.Contains("has changed or gone since it was listed", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_destination_that_fails_ends_the_packing()
    {
        var fileIndex = await FolderAsync(images: 40);
        using var full = new MemoryStream(new byte[5 * Size * Size * 3]);

        await Assert.ThrowsAsync<NotSupportedException>(() =>
            ImagePacker.PackAsync(fileIndex, 0, 40, new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full), full)
        );
    }

    [Fact]
    public async Task Cancelling_ends_the_packing()
    {
        var fileIndex = await FolderAsync(images: 40);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            ImagePacker.PackAsync(
                fileIndex,
                0,
                40,
                new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full),
                Stream.Null,
                cancelled.Token
            )
        );
    }

    [Fact]
    public async Task Images_of_a_binary_file_are_packed_upright_and_hashed_as_stored()
    {
        await SampleDataset.WriteAsync(_directory.Root, seed: 3, trainImages: 20, testImages: 10);
        var fileIndex = await DatasetSource.ListAsync(_directory.Root);
        using var pack = new MemoryStream();

        var records = await ImagePacker.PackAsync(fileIndex, 0, 30, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full), pack);

        var stored = (await File.ReadAllBytesAsync(_directory.At("test_X.bin"))).AsSpan(2 * Stl10Files.ImageBytes, Stl10Files.ImageBytes);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(stored)), records[22].Sha256);
        Assert.Equal(Stl10Layout.ToImage(stored).Pixels, pack.ToArray().AsSpan(22 * Stl10Files.ImageBytes, Stl10Files.ImageBytes));
        Assert.All(records, record => Assert.Equal((96, 96, null), (record.Width, record.Height, record.Skipped)));
    }

    [Fact]
    public async Task A_binary_file_that_became_shorter_is_refused()
    {
        await SampleDataset.WriteAsync(_directory.Root, seed: 3, trainImages: 20, testImages: 10);
        var fileIndex = await DatasetSource.ListAsync(_directory.Root);
        await File.WriteAllBytesAsync(_directory.At("test_X.bin"), new byte[Stl10Files.ImageBytes]);

        Assert.Contains(
            "test_X.bin",
            (
                await Assert.ThrowsAsync<DatasetException>(() =>
                    ImagePacker.PackAsync(fileIndex, 0, 30, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full), Stream.Null)
                )
            ).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_pack_in_parts_reads_like_one_file()
    {
        using var data = await PackAsync(images: 30, parts: [0, 7, 7, 20, 30]);

        Assert.Equal((30, 16 * 16 * 3), (data.Packed.Count, data.Packed.ImageBytes));
        foreach (var (first, count) in new[] { (0, 30), (6, 2), (19, 11), (29, 1), (30, 0) })
        {
            var bytes = new byte[count * data.Packed.ImageBytes];
            await data.Packed.ReadAsync(first, count, bytes);
            Assert.Equal(data.Pixels.AsSpan(first * data.Packed.ImageBytes, bytes.Length).ToArray(), bytes);
        }

        int[] picked = [29, 3, 4, 5, 6, 7, 8, 0, 0];
        var images = new byte[picked.Length * data.Packed.ImageBytes];
        await data.Packed.ReadImagesAsync(picked, images);
        Assert.Equal(picked.SelectMany(index => data.Pixels.Skip(index * data.Packed.ImageBytes).Take(data.Packed.ImageBytes)), images);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => data.Packed.ReadAsync(25, 6, images));
        await Assert.ThrowsAsync<ArgumentException>(() => data.Packed.ReadAsync(0, 30, new byte[10]));
    }

    [Fact]
    public async Task A_damaged_part_is_not_read()
    {
        using var data = await PackAsync(images: 10, parts: [0, 10]);
        var path = data.Volume.FullPath(data.Parts[0].File.Path);
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[5] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);

        await Assert.ThrowsAsync<StoredFileException>(() => data.Packed.ReadAsync(0, 1, new byte[1000]));
    }

    [Fact]
    public async Task Parts_with_gaps_or_wrong_lengths_are_refused()
    {
        using var data = await PackAsync(images: 10, parts: [0, 4, 10]);

        Assert.Throws<ArgumentException>(() => new PackedDataset(data.Volume, 16, [data.Parts[1]]));
        Assert.Throws<ArgumentException>(() => new PackedDataset(data.Volume, 16, [data.Parts[0], data.Parts[0]]));
        Assert.Throws<ArgumentException>(() => new PackedDataset(data.Volume, 17, data.Parts));
    }

    [Fact]
    public async Task The_splits_are_exported_as_pictures_that_are_a_data_set_again()
    {
        using var data = await PackAsync(images: 30, parts: [0, 30]);
        var split = DatasetSplit.Draw(data.Manifest, 0, 0.2, 0.3);

        var exported = await PngExport.WriteAsync(data.Packed, data.Manifest, split, _directory.At("export"));

        var fileIndex = await DatasetSource.ListAsync(_directory.At("export"));
        Assert.Equal(["a", "b"], fileIndex.ClassNames);
        Assert.Equal(30, fileIndex.Entries.Count);
        Assert.Equal(split.Validation.Length, fileIndex.Entries.Count(entry => entry.Split == SplitName.Validation));
        var test = split.Test[0];
        var image = data.Manifest.Images[test];
        var name = $"test/{data.Manifest.ClassNames[image.Label]}/{test:D6}-{Path.GetFileNameWithoutExtension(image.Name)}.png";
        Assert.Contains(new ExportedImage("test", data.Manifest.ClassNames[image.Label], name, image.Name), exported);
        Assert.Equal(fileIndex.Entries.Select(entry => entry.Name).Order(), exported.Select(picture => picture.File).Order());
        Assert.Equal(
            data.Pixels.AsSpan(test * data.Packed.ImageBytes, data.Packed.ImageBytes).ToArray(),
            ImageDecoder.Decode(await File.ReadAllBytesAsync(_directory.At("export", name))).Pixels
        );
    }

    [Fact]
    public void Class_names_become_safe_folder_names_of_their_own() =>
        Assert.Equal(
            ["a_b", "a_b-2", "A_B-3", "_", "_con", "été", "_x"],
            PngExport.FolderNames(["a/b", "a\\b", "A:B", "..", "con", "été", "../x"])
        );

    [Theory]
    [InlineData("train/rose.jpg", "rose")]
    [InlineData("train_X.bin#12", "train_X.bin_12")]
    [InlineData("a:b?*.png", "a_b__")]
    [InlineData("..png", "_")]
    [InlineData("con.jpg", "_con")]
    [InlineData("été 1.jpeg", "été 1")]
    public void Exported_files_carry_their_sources_names(string source, string name) => Assert.Equal(name, PngExport.FileName(source));

    [Fact]
    public void The_longest_name_of_a_source_is_cut_to_one_that_file_systems_take() =>
        Assert.True(
            Encoding.UTF8.GetByteCount(PngExport.FileName(string.Concat(Enumerable.Repeat("\U00020000", 200))))
                <= 255 - "000000-.png".Length
        );

    private async Task<FileIndex> FolderAsync(int images)
    {
        for (var number = 0; number < images; number++)
        {
            _directory.WriteImage($"{(number % 2 == 0 ? "a" : "b")}/{number:D4}.png", number);
        }

        return await DatasetSource.ListAsync(_directory.Root);
    }

    private async Task<Pack> PackAsync(int images, int[] parts)
    {
        using var source = new TemporaryDirectory();
        for (var number = 0; number < images; number++)
        {
            source.WriteImage($"{(number % 2 == 0 ? "a" : "b")}/{number:D4}.png", number);
        }

        var fileIndex = await DatasetSource.ListAsync(source.Root);
        var volume = Volume.Begin(_directory.At("volume"));
        var records = new List<PackedImage>();
        var stored = new List<PackedPart>();
        foreach (var (first, end) in parts.Zip(parts.Skip(1)))
        {
            var file = await volume.WriteAsync(
                $"packed/{stored.Count}",
                async (stream, token) =>
                    records.AddRange(
                        await ImagePacker.PackAsync(
                            fileIndex,
                            first,
                            end - first,
                            new ImagePreparation(Size, FitMode.Crop, JpegDecoding.Full),
                            stream,
                            token
                        )
                    )
            );
            stored.Add(new PackedPart(file, first, end - first));
        }

        var pixels = stored.SelectMany(part => File.ReadAllBytes(volume.FullPath(part.File.Path))).ToArray();
        return new Pack(volume, DatasetManifest.Create(fileIndex, records), stored, pixels, new PackedDataset(volume, Size, stored));
    }

    private sealed record Pack(
        Volume Volume,
        DatasetManifest Manifest,
        IReadOnlyList<PackedPart> Parts,
        byte[] Pixels,
        PackedDataset Packed
    ) : IDisposable
    {
        public void Dispose() => Packed.Dispose();
    }
}
