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
    [InlineData("49492A0008000000", "a TIFF image")]
    [InlineData("4D4D002A00000008", "a TIFF image")]
    [InlineData("49492A00FFFFFFFF", "a TIFF image")]
    [InlineData("49492B0008000000", "a TIFF image")]
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

    [Theory]
    [InlineData("NIKON CORPORATION", true, "a camera's raw file (NEF)")]
    [InlineData("SONY", true, "a camera's raw file (ARW)")]
    [InlineData("PENTAX Corporation", true, "a camera's raw file (PEF)")]
    [InlineData("Microtek", true, "a TIFF image")]
    [InlineData("NIKON CORPORATION", false, "a TIFF image")]
    [InlineData("", true, "a TIFF image")]
    public void A_cameras_raw_file_is_told_from_a_tiff_image_by_its_preview_and_maker(string maker, bool hasPreview, string name)
    {
        Assert.Equal(name, FileFormats.Recognize(Tiff(isLittle: true, (0x00FE, hasPreview ? 1u : 0u, ""), (0x010F, 0, maker)))?.Name);
        Assert.Equal(name, FileFormats.Recognize(Tiff(isLittle: false, (0x00FE, hasPreview ? 1u : 0u, ""), (0x010F, 0, maker)))?.Name);
    }

    [Fact]
    public void A_digital_negative_is_told_by_its_version() =>
        Assert.Equal(
            "a camera's raw file (DNG)",
            FileFormats.Recognize(Tiff(isLittle: true, (0x010F, 0, "LEICA"), (0xC612, 0x0401, "")))?.Name
        );

    [Fact]
    public void A_raw_file_may_be_cut_anywhere()
    {
        var whole = Tiff(isLittle: false, (0x00FE, 1, ""), (0x010F, 0, "NIKON"), (0xC612, 1, ""));
        for (var length = 4; length < whole.Length; length++)
        {
            Assert.Equal(FileKind.ForeignImage, FileFormats.Recognize(whole.AsSpan(0, length))?.Kind);
        }
    }

    [Theory]
    [InlineData("000000186674797068656963000000006D69663168656963", "magick mogrify -format jpg *.heic")]
    [InlineData("49492A0008000000", "magick mogrify -format jpg *.tif")]
    [InlineData("49492A00100000004352020000000000", "darktable")]
    [InlineData("255044462D312E37", "pdftoppm -jpeg")]
    public void Formats_that_are_not_read_name_a_program_that_converts_them(string head, string program) =>
        Assert.Contains(program, FileFormats.Recognize(Convert.FromHexString(head))!.Example, StringComparison.Ordinal);

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

    /// <summary>The header of a TIFF file and its first directory: numbers, or texts behind it.</summary>
    private static byte[] Tiff(bool isLittle, params (ushort Tag, uint Number, string Text)[] entries)
    {
        var bytes = new List<byte>();
        var texts = new List<byte>();
        bytes.AddRange(isLittle ? "II"u8 : "MM"u8);
        Add(42, 2);
        Add(8, 4);
        Add((uint)entries.Length, 2);
        foreach (var (tag, number, text) in entries)
        {
            Add(tag, 2);
            Add(text.Length > 0 ? 2u : 4u, 2);
            Add(text.Length > 0 ? (uint)text.Length : 1, 4);
            Add(text.Length > 0 ? (uint)(10 + (12 * entries.Length) + 4 + texts.Count) : number, 4);
            texts.AddRange(Encoding.Latin1.GetBytes(text));
        }

        Add(0, 4);
        return [.. bytes, .. texts];

        void Add(uint number, int width)
        {
            var added = Enumerable.Range(0, width).Select(index => (byte)(number >> (8 * index)));
            bytes.AddRange(isLittle ? added : added.Reverse());
        }
    }
}
