using System.Formats.Tar;
using System.IO.Compression;
using Distributed.Datasets;
using Distributed.Datasets.Archives;

namespace Distributed.Fuzzing.Targets;

/// <summary>Extraction of archives of one kind to a real directory, whose surroundings must stay as they were.</summary>
internal sealed class ArchiveTargets : FuzzTarget
{
    private const int Block = 512;

    private readonly Sandbox _sandbox = new();
    private readonly string _kind;
    private readonly string _outside;
    private readonly string _target;

    public ArchiveTargets(string kind)
    {
        _kind = kind;
        // Tar is changed before it is compressed.
        Seeds =
            kind == "zip"
                ? [Zip(("a/1.png", 40), ("b/2.png", 20)), Zip(("x", 3000)), Zip(("d/", 0), ("d/e/f", 7))]
                : [Tar(TarEntryFormat.Pax, 60), Tar(TarEntryFormat.Gnu, 120), Tar(TarEntryFormat.Ustar, 60), Tar(TarEntryFormat.V7, 40)];
        _outside = Directory.CreateDirectory(_sandbox.At("outside")).FullName;
        _target = Path.Combine(_outside, "target");
    }

    public override string Name => _kind;

    protected override IReadOnlyList<byte[]> Seeds { get; }

    protected override IReadOnlyList<byte[]> Words { get; } =
    [
        .. AsBytes(
            "../",
            "../../evil",
            "/",
            "\\",
            "..\\",
            "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/",
            "\0",
            "ustar\0",
            "ustar  \0",
            "path=../evil\n",
            "12 size=9999999999\n",
            "GNU.sparse.",
            "C:",
            "unlabeled_X.bin"
        ),
        [(byte)'x'],
        [(byte)'g'],
        [(byte)'L'],
        [(byte)'K'],
        [(byte)'1'],
        [(byte)'2'],
        [(byte)'5'],
        [(byte)'S'],
        [0x80, 0, 0, 0, 0, 0, 0, 1],
        "PK\u0001\u0002"u8.ToArray(),
        "PK\u0003\u0004"u8.ToArray(),
        "PK\u0005\u0006"u8.ToArray(),
        "PK\u0006\u0006"u8.ToArray(),
        [8, 0],
        [0, 0],
        [9, 0],
        [0x0E, 0],
    ];

    protected override bool KeepsLength => true;

    public override byte[] Create(FuzzRandom random)
    {
        var input = base.Create(random);
        if (_kind == "zip")
        {
            return input;
        }

        if (!random.OneIn(4))
        {
            MendChecksums(input);
        }

        if (_kind == "tar")
        {
            return input;
        }

        var zipped = Gzip(input);
        return random.OneIn(8) ? Mutation.Apply(zipped, [zipped], [], keepsLength: false, random) : zipped;
    }

    public override bool Parse(byte[] input)
    {
        Directory.CreateDirectory(_target);
        try
        {
            using var archive = new MemoryStream(input);
            DatasetArchive.ExtractAsync(archive, "archive", _target, CancellationToken.None).GetAwaiter().GetResult();
            return true;
        }
        catch (DatasetException refused)
        {
            return Refuse(refused.Message);
        }
        finally
        {
            var links = new DirectoryInfo(_target)
                .EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
                .Any(file => file.LinkTarget is not null);
            Directory.Delete(_target, recursive: true);
            Promise(!links, "a link was made");
            Promise(!Directory.EnumerateFileSystemEntries(_outside).Any(), "something was written beside the target");
            Promise(Directory.EnumerateFileSystemEntries(_sandbox.Root).Count() == 1, "something was written above the target");
        }
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] Zip(params (string Name, int Length)[] entries)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, length) in entries)
            {
                using var entry = zip.CreateEntry(name, length > 1000 ? CompressionLevel.SmallestSize : CompressionLevel.NoCompression)
                    .Open();
                entry.Write(new byte[length]);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Tar(TarEntryFormat format, int nameLength)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, format, leaveOpen: true))
        {
            for (var i = 0; i < 2; i++)
            {
                var name = $"class{i}/{new string('n', nameLength - 20)}.png";
                var content = new MemoryStream([1, 2, 3, (byte)i]);
                writer.WriteEntry(
                    format switch
                    {
                        TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
                        TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
                        TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content },
                        _ => new V7TarEntry(TarEntryType.V7RegularFile, name) { DataStream = content },
                    }
                );
            }
        }

        return bytes.ToArray();
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

    /// <summary>Gives every block that may be a header the check sum that it needs.</summary>
    private static void MendChecksums(byte[] tar)
    {
        for (var at = 0; at + Block <= tar.Length; at += Block)
        {
            var header = tar.AsSpan(at, Block);
            if (header[156] < 32 && header[0] < 32)
            {
                continue;
            }

            header[148..156].Fill((byte)' ');
            var sum = 0;
            foreach (var value in header)
            {
                sum += value;
            }

            for (var digit = 153; digit >= 148; digit--, sum >>= 3)
            {
                header[digit] = (byte)('0' + (sum & 7));
            }

            header[154] = 0;
        }
    }
}
