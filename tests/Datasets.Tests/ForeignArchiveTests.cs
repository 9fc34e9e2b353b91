using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Distributed.Datasets.Archives;
using Distributed.Fuzzing;

namespace Distributed.Datasets.Tests;

public sealed class ForeignArchiveTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(
        "425A6839314159265359",
        "is a file compressed with bzip2, which is not read. Unpack it and give the folder, or pack that as .tar.gz or .zip."
    )]
    [InlineData("FD377A585A000004E6D6B446", "is a file compressed with xz, which is not read.")]
    [InlineData("377ABCAF271C0004", "is a 7z archive, which is not read.")]
    [InlineData("526172211A0701003392", "is a RAR archive, which is not read.")]
    [InlineData("28B52FFD0458", "is a file compressed with zstd, which is not read.")]
    [InlineData("04224D186440", "is a file compressed with lz4, which is not read.")]
    [InlineData("504B0708504B0304", "is a part of a zip archive that was split into several files")]
    [InlineData("FFD8FFE000104A464946", "is a JPEG image, and not an archive. Give a folder")]
    [InlineData("255044462D312E37", "is a PDF document, and not an archive.")]
    [InlineData(
        "80028A0A6CFC9C46F9206AA850192E",
        "is a PyTorch weight file of the old format, and not a data set. Weights are named as the backbone."
    )]
    [InlineData("BBBBBBBBBBBB", "is not a .tar, .tar.gz or .zip archive, nor a file of another format that is known.")]
    [InlineData("", "is an empty file, and not an archive: copy or download it again.")]
    public async Task A_file_that_is_no_archive_that_is_read_is_named_for_what_it_is(string head, string reason)
    {
        // By content, whatever its name says.
        await AssertRefusedAsync("pets.tar.xz", Convert.FromHexString(head), reason);
        await AssertRefusedAsync("pets.zip", Convert.FromHexString(head), reason);
        await AssertRefusedAsync("pets", Convert.FromHexString(head), reason);
    }

    [Fact]
    public async Task What_stands_in_place_of_an_archive_is_named_with_what_to_do()
    {
        await AssertRefusedAsync(
            "pets.zip",
            "<!DOCTYPE html><html><head><title>Sign in</title>"u8,
            "is an HTML page, and not an archive: a server gives such a page"
        );
        await AssertRefusedAsync(
            "pets.zip",
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"u8,
            "is a Git LFS pointer, and not an archive: it stands in place of the file; fetch that with 'git lfs pull'."
        );
        await AssertRefusedAsync("pets.tar", "cat,dog\n"u8, "is a text file, and not an archive.");
    }

    [Fact]
    public async Task A_compressed_file_that_is_no_tar_archive_is_named_with_what_it_holds()
    {
        await AssertRefusedAsync(
            "pets.tar.gz",
            Gzip(TemporaryDirectory.Picture(1)),
            "is a file compressed with gzip that holds a PNG image."
        );
        await AssertRefusedAsync("pets.tgz", Gzip(RawArchives.Zip(new RawEntry("a/1"u8.ToArray(), [1]))), "that holds a zip archive.");
        await AssertRefusedAsync("pets.gz", Gzip([0xBB, 1]), "that holds no tar archive.");
    }

    [Fact]
    public async Task The_last_part_of_a_split_zip_archive_is_told_by_its_end()
    {
        var zip = RawArchives.Zip(new RawEntry("a/1"u8.ToArray(), [1]));
        // The number of this part.
        zip[^18] = 2;

        await AssertRefusedAsync("pets.zip", zip, "is a part of a zip archive");
        await AssertRefusedAsync("pets.zip", zip.AsSpan(5), "is a part of a zip archive");
    }

    [Fact]
    public async Task A_way_of_compression_that_is_not_read_is_no_damage()
    {
        var zip = RawArchives.Zip(new RawEntry("a/1"u8.ToArray(), [1]));
        zip[zip.AsSpan().LastIndexOf("PK\u0001\u0002"u8) + 10] = 14;

        await AssertRefusedAsync("pets.zip", zip, "is compressed by LZMA; pack the archive by Deflate");
    }

    [Fact]
    public async Task Sparse_files_in_a_tar_archive_are_no_damage()
    {
        using var bytes = new MemoryStream();
        await using (var tar = new TarWriter(bytes, TarEntryFormat.Pax, leaveOpen: true))
        {
            await tar.WriteEntryAsync(
                new PaxTarEntry(TarEntryType.RegularFile, "a/1", new Dictionary<string, string> { ["GNU.sparse.major"] = "1" })
            );
        }

        await AssertRefusedAsync("pets.tar", bytes.ToArray(), "holds sparse files; pack it again without --sparse");
    }

    [Fact]
    public async Task A_damaged_directory_of_a_zip_archive_is_damage()
    {
        var zip = RawArchives.Zip(new RawEntry("a/1"u8.ToArray(), [1]), new RawEntry("a/2"u8.ToArray(), [2]));
        var second = zip.AsSpan().LastIndexOf(Encoding.Latin1.GetBytes("PK\u0001\u0002"));
        zip[second] = 0;

        await AssertRefusedAsync("pets.zip", zip, "is damaged or cut short");
    }

    private static byte[] Gzip(byte[] content)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(content);
        }

        return bytes.ToArray();
    }

    private Task AssertRefusedAsync(string name, ReadOnlySpan<byte> content, string reason) =>
        AssertRefusedAsync(_directory.Write(name, content.ToArray()), reason);

    private async Task AssertRefusedAsync(string archive, string reason)
    {
        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            DatasetArchive.ExtractAsync(archive, _directory.At("out"), TestContext.Current.CancellationToken)
        );
        Assert.Contains(archive, refused.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_directory.Root));
    }
}
