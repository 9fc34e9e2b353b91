using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Distributed.Storage;

namespace Distributed.Storage.Tests;

public sealed class FileFormatsTests
{
    [Theory]
    [InlineData("FFD8FFE000104A464946", "a JPEG image")]
    [InlineData("89504E470D0A1A0A", "a PNG image")]
    [InlineData("524946462400000057454250565038", "a WebP image")]
    [InlineData("000000186674797068656963000000006D69663168656963", "a HEIC image")]
    [InlineData("000000186674797061766966000000006D69663161766966", "an AVIF image")]
    [InlineData("00000018667479706D69663100000000617669666D696631", "an AVIF image")]
    [InlineData("000000186674797063727820000000016372782069736F6D", "a camera's raw file (CR3)")]
    [InlineData("0000001C6674797069736F6D0000020069736F6D69736F326D703431", "an MP4 video")]
    [InlineData("000000146674797071742020000002007174202000000000", "a QuickTime video")]
    [InlineData("52494646240000004156492000000000", "an AVI video")]
    [InlineData("0000000C4A584C200D0A870A", "a JPEG XL image")]
    [InlineData("FF0A0000", "a JPEG XL image")]
    [InlineData("0000000C6A5020200D0A870A", "a JPEG 2000 image")]
    [InlineData("49492A0008000000", "a TIFF image (or a camera's raw file, which is built like one)")]
    [InlineData("49492A00100000004352020000000000", "a camera's raw file (CR2)")]
    [InlineData("384250530001", "a Photoshop image (PSD)")]
    [InlineData("425A6839314159265359", "a file compressed with bzip2")]
    [InlineData("FD377A585A000004", "a file compressed with xz")]
    [InlineData("377ABCAF271C0004", "a 7z archive")]
    [InlineData("526172211A0701003392", "a RAR archive")]
    [InlineData("28B52FFD0458", "a file compressed with zstd")]
    [InlineData("04224D186440", "a file compressed with lz4")]
    [InlineData("504B0708504B0304", "a part of a zip archive that was split into several files")]
    [InlineData("504B0506000000000000", "a zip archive without files")]
    [InlineData("894844460D0A1A0A00", "an HDF5 file")]
    [InlineData("80028A0A6CFC9C46F9206AA850192E", "a PyTorch weight file of the old format")]
    [InlineData("8004957D00000000000000", "a Python pickle")]
    [InlineData("080612077079746F726368", "an ONNX file")]
    [InlineData("7F454C460201", "a program")]
    public void A_file_is_told_by_its_first_bytes(string head, string name) =>
        Assert.Equal(name, FileFormats.Recognize(Convert.FromHexString(head))?.Name);

    [Theory]
    [InlineData("%PDF-1.7\n%âãÏÓ", "a PDF document")]
    [InlineData("<?xml version=\"1.0\"?>\n<!-- drawn by hand -->\n<svg xmlns=\"http://www.w3.org/2000/svg\">", "an SVG drawing")]
    [InlineData("\uFEFF\r\n<!DOCTYPE html><html><body><svg/></body></html>", "an HTML page")]
    [InlineData("<html><head><title>Sign in</title>", "an HTML page")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer")]
    [InlineData("/annex/objects/SHA256E-s1048576--c0ffee.jpg\n", "a git-annex pointer")]
    [InlineData("file,label\n1.jpg,café\n", "a text file")]
    [InlineData("", "an empty file")]
    public void Text_is_told_by_what_it_says(string text, string name) =>
        Assert.Equal(name, FileFormats.Recognize(Encoding.UTF8.GetBytes(text))?.Name);

    [Fact]
    public void What_stands_in_place_of_a_file_says_how_to_get_that()
    {
        Assert.Contains("git lfs pull", FileFormats.GitLfsPointer.Remedy, StringComparison.Ordinal);
        Assert.Contains("download", FileFormats.Html.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TarEntryFormat.V7)]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Gnu)]
    public void Tar_archives_are_told_by_their_header(TarEntryFormat format)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, format, leaveOpen: true))
        {
            writer.WriteEntry(
                format == TarEntryFormat.V7
                    ? new V7TarEntry(TarEntryType.V7RegularFile, "a")
                    : new GnuTarEntry(TarEntryType.RegularFile, "a")
            );
        }

        var head = bytes.ToArray();
        Assert.Same(FileFormats.Tar, FileFormats.Recognize(head));
        Assert.Null(FileFormats.Recognize(head.AsSpan(1)));
    }

    [Theory]
    [InlineData("MZ")]
    [InlineData("]")]
    [InlineData("BZh1.jpg")]
    [InlineData("GIF89a/1.gif")]
    [InlineData("PK\u0003\u0004")]
    public void A_tar_archive_is_one_whatever_format_the_name_of_its_first_file_looks_like(string first)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, TarEntryFormat.Gnu, leaveOpen: true))
        {
            writer.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, first));
        }

        Assert.Same(FileFormats.Tar, FileFormats.Recognize(bytes.ToArray()));
    }

    [Theory]
    [InlineData("photos/1.jpg", "a zip archive")]
    [InlineData("resnet/data.pkl", "a PyTorch weight file")]
    public void PyTorchs_archives_are_told_from_others(string first, string name)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            zip.CreateEntry(first);
        }

        Assert.Equal(name, FileFormats.Recognize(bytes.ToArray())?.Name);
    }

    [Fact]
    public void Safetensors_are_told_by_length_and_header()
    {
        byte[] file = [16, 0, 0, 0, 0, 0, 0, 0, .. "{\"a\":{\"dtype\":  "u8];

        Assert.Same(FileFormats.Safetensors, FileFormats.Recognize(file));
    }

    [Fact]
    public void Noise_is_nothing_known_and_any_length_of_it_may_be_looked_at()
    {
        foreach (var head in new[] { "000000186674797068656963", "52494646240000005745", "504B0304", "424D", "0800", "80", "BB" })
        {
            var bytes = Convert.FromHexString(head);
            for (var length = 1; length <= bytes.Length; length++)
            {
                _ = FileFormats.Recognize(bytes.AsSpan(0, length));
            }
        }

        Assert.Null(FileFormats.Recognize([0xBB, 0x00, 0xFE, 0x13]));
    }
}
