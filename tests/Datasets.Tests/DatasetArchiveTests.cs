using System.Formats.Tar;
using System.IO.Compression;
using CsCheck;
using Distributed.Datasets.Archives;

namespace Distributed.Datasets.Tests;

public sealed class DatasetArchiveTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("tar")]
    [InlineData("tar.gz")]
    [InlineData("zip")]
    public async Task An_archive_is_extracted_whole_whatever_it_is_called(string kind)
    {
        var archive = _directory.Write(
            "archive.data",
            Archive(kind, ("set/a/1.png", [1, 2, 3]), ("set/b/2.png", []), ("stl10_binary/unlabeled_X.bin", [4]))
        );

        await DatasetArchive.ExtractAsync(archive, _directory.At("out"));

        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(_directory.At("out", "set", "a", "1.png")));
        Assert.Empty(await File.ReadAllBytesAsync(_directory.At("out", "set", "b", "2.png")));
        Assert.Equal(2, Directory.GetFiles(_directory.At("out"), "*", SearchOption.AllDirectories).Length);
        Assert.Equal([_directory.At("out")], Directory.GetDirectories(_directory.Root));
    }

    [Fact]
    public async Task A_target_that_is_there_is_left_alone()
    {
        var archive = _directory.Write("archive.tar", Archive("tar", ("a", [1])));
        _directory.Write("out/b", [2]);

        await DatasetArchive.ExtractAsync(archive, _directory.At("out"));

        Assert.Equal(["b"], Directory.GetFiles(_directory.At("out")).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("tar", "../evil")]
    [InlineData("tar", "a/../../evil")]
    [InlineData("tar", "/evil")]
    [InlineData("zip", "../evil")]
    [InlineData("zip", "..\\evil")]
    [InlineData("zip", "/evil")]
    [InlineData("tar.gz", "a/../../out.evil")]
    public async Task A_path_that_leads_out_is_refused_and_nothing_stays(string kind, string name)
    {
        var archive = _directory.Write("archive", Archive(kind, ("good", [1]), (name, [1])));

        await AssertRefusedAsync(archive, name);
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    public async Task Links_are_refused(TarEntryType type)
    {
        using var bytes = new MemoryStream();
        await using (var writer = new TarWriter(bytes, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new PaxTarEntry(type, "link") { LinkName = "/etc/passwd" });
        }

        await AssertRefusedAsync(_directory.Write("archive", bytes.ToArray()), type.ToString());
    }

    [Fact]
    public async Task Links_in_a_zip_are_refused()
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            zip.CreateEntry("link").ExternalAttributes = unchecked((int)0xA1FF0000);
        }

        await AssertRefusedAsync(_directory.Write("archive", bytes.ToArray()), "symbolic link");
    }

    [Theory]
    [InlineData("tar.gz")]
    [InlineData("zip")]
    public async Task An_archive_that_expands_absurdly_is_refused(string kind)
    {
        var archive = _directory.Write("archive", Archive(kind, ("zeros", new byte[DatasetArchive.FreeBytes + (32 << 20)])));

        await AssertRefusedAsync(archive, "expands to more than");
    }

    [Theory]
    [InlineData("a", "a", "twice")]
    [InlineData("a", "a/b", "below another file")]
    public async Task Entries_in_each_others_way_are_refused(string first, string second, string reason) =>
        await AssertRefusedAsync(_directory.Write("archive", Archive("tar", (first, [1]), (second, [2]))), reason);

    [Theory]
    [InlineData("tar.gz")]
    [InlineData("tar")]
    [InlineData("zip")]
    public async Task An_archive_that_is_cut_short_is_refused_by_name(string kind)
    {
        var bytes = Archive(kind, ("a", TemporaryDirectory.Picture(1)), ("b", TemporaryDirectory.Picture(2)));

        await AssertRefusedAsync(_directory.Write("archive.part", bytes[..(bytes.Length / 3)]), "archive.part");
    }

    [Fact]
    public async Task A_missing_archive_and_what_is_none_are_refused()
    {
        await AssertRefusedAsync(_directory.At("missing.zip"), "does not exist");
        await AssertRefusedAsync(_directory.Write("empty", []), "is an empty file, and not an archive: copy or download it again");
        await AssertRefusedAsync(_directory.Write("zeros.tar", new byte[1024]), "holds no files");
    }

    [Theory]
    [InlineData('x')]
    [InlineData('L')]
    [InlineData('g')]
    public async Task A_header_that_claims_gigabytes_takes_no_memory(char type)
    {
        using var archive = new MemoryStream(TarHeader(type, "17777777000"));
        Directory.CreateDirectory(_directory.At("claims"));
        var before = GC.GetTotalAllocatedBytes(precise: true);

        await Assert.ThrowsAsync<DatasetException>(() =>
            DatasetArchive.ExtractAsync(archive, "archive", _directory.At("claims"), TestContext.Current.CancellationToken)
        );

        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 16 << 20);
    }

    [Fact]
    public async Task A_number_out_of_range_in_a_header_is_damage() =>
        await AssertRefusedAsync(_directory.Write("archive", TarHeader('x', "77777777777")), "extended header");

    [Theory]
    [InlineData(TarEntryFormat.V7)]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Gnu)]
    public async Task Every_format_of_tar_is_read_with_its_long_names(TarEntryFormat format)
    {
        var longest = format switch
        {
            TarEntryFormat.V7 => 90,
            TarEntryFormat.Ustar => 200,
            _ => 600,
        };
        var name = string.Join('/', Enumerable.Repeat(new string('d', 40), longest / 41)) + "/é.png";
        using var bytes = new MemoryStream();
        await using (var writer = new TarWriter(bytes, format, leaveOpen: true))
        {
            var content = new MemoryStream(new byte[700]);
            TarEntry entry = format switch
            {
                TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name) { DataStream = content },
                TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
                TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
                _ => new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
            };
            await writer.WriteEntryAsync(entry, TestContext.Current.CancellationToken);
        }

        await DatasetArchive.ExtractAsync(
            _directory.Write("archive", bytes.ToArray()),
            _directory.At("out"),
            TestContext.Current.CancellationToken
        );

        Assert.Equal(700, new FileInfo(_directory.At(["out", .. name.Split('/')])).Length);
    }

    [Theory]
    [InlineData("tar")]
    [InlineData("zip")]
    public async Task A_path_that_no_file_system_takes_is_refused_and_not_waited_for(string kind)
    {
        await AssertRefusedAsync(
            _directory.Write("archive", Archive(kind, (string.Join('/', Enumerable.Repeat("a", 40)), [1]))),
            "32 folders"
        );
        await AssertRefusedAsync(
            _directory.Write("archive", Archive(kind, (string.Join('/', Enumerable.Repeat(new string('a', 250), 20)), [1]))),
            "1024 bytes"
        );
    }

    [Fact]
    public async Task What_an_error_quotes_of_an_archive_is_plain_text()
    {
        var archive = _directory.Write("archive", Archive("zip", ("a\0b\nc", [1])));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            DatasetArchive.ExtractAsync(archive, _directory.At("out"), TestContext.Current.CancellationToken)
        );

        Assert.DoesNotContain(refused.Message, char.IsControl);
    }

    [Fact]
    public async Task What_is_left_out_counts_as_expansion() =>
        await AssertRefusedAsync(
            _directory.Write("archive", Archive("tar.gz", ("unlabeled_X.bin", new byte[DatasetArchive.FreeBytes + (32 << 20)]))),
            "expands to more than"
        );

    [Fact]
    public async Task Damaged_archives_are_extracted_or_refused_and_nothing_else()
    {
        byte[][] archives =
        [
            .. new[] { "tar", "tar.gz", "zip" }.Select(kind => Archive(kind, ("a/1", [1, 2, 3]), ("b/2", TemporaryDirectory.Picture(1)))),
        ];
        await Gen.Select(Gen.Int[0, 2], Gen.Select(Gen.Int[0, 3000], Gen.Byte).Array[1, 6])
            .SampleAsync(
                async (kind, changes) =>
                {
                    using var directory = new TemporaryDirectory();
                    var bytes = (byte[])archives[kind].Clone();
                    foreach (var (position, value) in changes)
                    {
                        bytes[position % bytes.Length] = value;
                    }

                    try
                    {
                        await DatasetArchive.ExtractAsync(directory.Write("archive", bytes), directory.At("out"));
                    }
                    catch (DatasetException refused)
                    {
                        Assert.Contains("archive", refused.Message, StringComparison.Ordinal);
                    }

                    Assert.Empty(Directory.GetDirectories(directory.Root, "*.partial"));
                },
                iter: 1500
            );
    }

    private static byte[] TarHeader(char type, string size)
    {
        var header = new byte[512];
        Put(0, "name");
        Put(124, size);
        Put(148, "        ");
        header[156] = (byte)type;
        Put(148, Convert.ToString(header.Sum(value => value), 8).PadLeft(6, '0') + "\0");
        return header;

        void Put(int at, string text) => System.Text.Encoding.ASCII.GetBytes(text).CopyTo(header, at);
    }

    private static byte[] Archive(string kind, params (string Name, byte[] Content)[] files)
    {
        using var bytes = new MemoryStream();
        if (kind == "zip")
        {
            using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
            {
                foreach (var (name, content) in files)
                {
                    using var entry = zip.CreateEntry(name).Open();
                    entry.Write(content);
                }
            }

            return bytes.ToArray();
        }

        using (
            var zipped =
                kind == "tar.gz" ? new GZipStream(bytes, CompressionLevel.SmallestSize, leaveOpen: true) : (Stream)new BufferedStream(bytes)
        )
        {
            using var writer = new TarWriter(zipped, TarEntryFormat.Pax, leaveOpen: true);
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "set/"));
            foreach (var (name, content) in files)
            {
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
            }

            writer.Dispose();
            zipped.Flush();
            return kind == "tar" ? bytes.ToArray() : Finished(zipped, bytes);
        }
    }

    private static byte[] Finished(Stream zipped, MemoryStream bytes)
    {
        zipped.Dispose();
        return bytes.ToArray();
    }

    private async Task AssertRefusedAsync(string archive, string reason)
    {
        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetArchive.ExtractAsync(archive, _directory.At("out")));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_directory.Root));
        Assert.False(File.Exists(Path.Combine(Path.GetDirectoryName(_directory.Root)!, "evil")));
    }
}
