using System.Text;
using Distributed.Datasets.Archives;
using Distributed.Fuzzing;

namespace Distributed.Datasets.Tests;

public sealed class ArchiveNameTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Zip_names_that_are_neither_flagged_nor_UTF8_are_code_page_437()
    {
        var notes = await ExtractAsync(RawArchives.Zip(Entry([0x82, .. "/1.png"u8]), Entry([0x8A, .. "/2.png"u8]), Entry("dog/3.png")));

        AssertFiles("dog/3.png", "è/2.png", "é/1.png");
        Assert.Contains("2 names in the archive are not UTF-8 and read as code page 437", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Contains("'é/1.png'", notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Zip_names_in_UTF8_are_UTF8_whether_flagged_or_not()
    {
        var notes = await ExtractAsync(RawArchives.Zip(Entry("é/1.png"), Entry("é/2.png") with { Flags = RawArchives.Utf8Flag }));

        AssertFiles("é/1.png", "é/2.png");
        Assert.Empty(notes);
    }

    [Fact]
    public async Task The_field_of_a_Unicode_path_counts_where_its_check_sum_is_that_of_the_name()
    {
        byte[] fits = [0x82, .. "/1.png"u8];
        byte[] other = [0x8A, .. "/2.png"u8];

        await ExtractAsync(
            RawArchives.Zip(
                Entry(fits) with
                {
                    Extra = [1, 0, 2, 0, 9, 9, .. RawArchives.UnicodePath(fits, "日本/1.png"u8.ToArray())],
                },
                Entry(other) with
                {
                    Extra = RawArchives.UnicodePath(other, "日本/2.png"u8.ToArray(), difference: 1),
                }
            )
        );

        AssertFiles("è/2.png", "日本/1.png");
    }

    [Fact]
    public async Task A_flagged_name_that_is_not_UTF8_shows_its_bytes()
    {
        await ExtractAsync(
            RawArchives.Zip(Entry([(byte)'c', 0xE9, .. "/1.png"u8]) with { Flags = RawArchives.Utf8Flag }, Entry("100%/2.png"))
        );

        AssertFiles("100%/2.png", "c%E9/1.png");
    }

    [Theory]
    [InlineData((int)TarNaming.Header)]
    [InlineData((int)TarNaming.GnuLongName)]
    [InlineData((int)TarNaming.Pax)]
    public async Task Tar_names_that_are_not_UTF8_are_kept_apart(int naming)
    {
        var notes = await ExtractAsync(
            RawArchives.Tar(
                Entry([.. "caf"u8, 0xE9, .. "/1.png"u8]) with
                {
                    Naming = (TarNaming)naming,
                },
                Entry([.. "caf"u8, 0xE8, .. "/1.png"u8]) with
                {
                    Naming = (TarNaming)naming,
                },
                Entry([.. "caf"u8, 0xE8, .. "/é%.png"u8]) with
                {
                    Naming = (TarNaming)naming,
                }
            )
        );

        AssertFiles("caf%E8/1.png", "caf%E8/é%.png", "caf%E9/1.png");
        Assert.Contains(
            "3 names in the archive are not UTF-8, and the bytes that are not stand as %E9",
            Assert.Single(notes),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_folders_that_would_become_one_are_refused(bool isTurned)
    {
        RawEntry[] zip = [Entry("é/1.png"), Entry([0x82, .. "/2.png"u8])];
        RawEntry[] tar = [Entry("c%E9/1.png"), Entry([(byte)'c', 0xE9, .. "/2.png"u8])];

        await AssertRefusedAsync(RawArchives.Zip(isTurned ? [.. zip.Reverse()] : zip), "folder 'é'", "two folders would become one");
        await AssertRefusedAsync(RawArchives.Tar(isTurned ? [.. tar.Reverse()] : tar), "folder 'c%E9'", "two folders would become one");
    }

    [Fact]
    public async Task Two_files_that_would_become_one_are_refused()
    {
        await AssertRefusedAsync(RawArchives.Zip(Entry("a/é"), Entry([.. "a/"u8, 0x82])), "'a/é'", "has the path of another");
        await AssertRefusedAsync(
            RawArchives.Zip(Entry("a/é"), Entry("?") with { Extra = RawArchives.UnicodePath("?"u8.ToArray(), "a/é"u8.ToArray()) }),
            "'a/é'",
            "has the path of another"
        );
        await AssertRefusedAsync(RawArchives.Tar(Entry([(byte)'a', 0xE9]), Entry("a%E9")), "'a%E9'", "has the path of another");
    }

    [Fact]
    public async Task A_path_in_the_Unicode_field_leads_nowhere_else()
    {
        var name = "a/1.png"u8.ToArray();

        await AssertRefusedAsync(
            RawArchives.Zip(Entry(name) with { Extra = RawArchives.UnicodePath(name, "../evil"u8.ToArray()) }),
            "leads out of the target"
        );
        await AssertRefusedAsync(
            RawArchives.Zip(Entry(name) with { Extra = RawArchives.UnicodePath(name, "/evil"u8.ToArray()) }),
            "not relative"
        );
        await AssertRefusedAsync(RawArchives.Tar(Entry("a\0b") with { Naming = TarNaming.Pax }), "not relative");
        await AssertRefusedAsync(RawArchives.Zip(Entry("x/..")), "has no name");
    }

    [Fact]
    public async Task What_was_said_of_names_is_said_again_of_an_archive_that_is_extracted_already()
    {
        var archive = _directory.Write("archive.zip", RawArchives.Zip(Entry([0x82, .. "/1.png"u8])));

        var first = await DatasetArchive.ExtractAsync(archive, _directory.At("out"), TestContext.Current.CancellationToken);
        var second = await DatasetArchive.ExtractAsync(archive, _directory.At("out"), TestContext.Current.CancellationToken);

        Assert.Single(first);
        Assert.Equal(first, second);
    }

    private static RawEntry Entry(string name) => Entry(Encoding.UTF8.GetBytes(name));

    private static RawEntry Entry(byte[] name) => new(name, [1, 2, 3]);

    private Task<IReadOnlyList<string>> ExtractAsync(byte[] archive) =>
        DatasetArchive.ExtractAsync(_directory.Write("archive", archive), _directory.At("out"), TestContext.Current.CancellationToken);

    private void AssertFiles(params string[] expected) =>
        Assert.Equal(
            expected,
            Directory
                .GetFiles(_directory.At("out"), "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(_directory.At("out"), path))
                .Order(StringComparer.Ordinal)
        );

    private async Task AssertRefusedAsync(byte[] archive, params string[] reasons)
    {
        var refused = await Assert.ThrowsAsync<DatasetException>(() => ExtractAsync(archive));
        Assert.All(reasons, reason => Assert.Contains(reason, refused.Message, StringComparison.Ordinal));
        Assert.Empty(Directory.GetDirectories(_directory.Root));
    }
}
