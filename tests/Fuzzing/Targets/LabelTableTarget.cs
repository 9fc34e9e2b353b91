using Distributed.Datasets;
using Distributed.Datasets.Sources;

namespace Distributed.Fuzzing.Targets;

/// <summary>Tables of labels beside three images. The first byte of an input says which of them it is, the rest is the table.</summary>
internal sealed class LabelTableTarget : FuzzTarget
{
    private const byte Csv = (byte)'c';

    private static readonly string[] Images = ["1.jpg", "d/2.jpg", "train/3.jpg"];

    private readonly Sandbox _sandbox = new();

    public LabelTableTarget()
    {
        foreach (var image in Images)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_sandbox.At(image))!);
            File.WriteAllBytes(_sandbox.At(image), [1]);
        }

        // Unicode's tables and the parser's code are read once, with the first input that needs them.
        _ = ClassName.Read("é", "");
        foreach (var seed in Seeds)
        {
            _ = Parse(seed);
        }
    }

    public override string Name => "labels";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
        AsBytes(
            "cpath,label\n1.jpg,cat\nd/2.jpg,dog\n",
            "cfile_name;class;split\r\n\"1.jpg\";\"cat\";train\r\nd\\2.jpg;dog;train\r\ntrain/3.jpg;\"dog\";test\r\n",
            "c\uFEFFimage\tcategory\tnote\n1.jpg\tcat\t\"a \"\"b\"\" c\"\n./d/2.jpg\tdog\t\n\t\t\n",
            "j{\"file_name\":\"1.jpg\",\"label\":\"cat\",\"split\":\"train\"}\n{\"label\":2,\"file_name\":\"d/2.jpg\",\"split\":\"train\"}\n{\"file_name\":\"train/3.jpg\",\"label\":2,\"split\":\"val\"}\n"
        );

    protected override IReadOnlyList<byte[]> Words { get; } =
    [
        .. JsonSeeds.Words,
        .. AsBytes(
            ",",
            ";",
            "\t",
            "\n",
            "\r\n",
            "\"",
            "\"\"",
            "..",
            "/",
            "\\",
            "cat",
            "dog",
            "1.jpg",
            "test",
            "split",
            "label",
            "\uFEFF",
            "\\ud800",
            "é"
        ),
    ];

    // Buffers of the reader, and the file index.
    public override long MostAllocated(int length) => (2 << 20) + (400L * length);

    public override bool Parse(byte[] input)
    {
        var path = _sandbox.At(input is [Csv, ..] ? "labels.csv" : "metadata.jsonl");
        File.WriteAllBytes(path, input.AsSpan(Math.Min(1, input.Length)));
        try
        {
            var fileIndex = DatasetSource.ListAsync(_sandbox.Root).GetAwaiter().GetResult();
            Promise(fileIndex.Entries.All(entry => Images.Contains(entry.Name)), "an image is none of the folder");
            Promise(
                fileIndex.Entries.Select(entry => entry.Name).Distinct().Count() == fileIndex.Entries.Count,
                "an image is listed twice"
            );
            Promise(
                fileIndex.Entries.Count + fileIndex.Skipped.Count == Images.Length,
                $"{fileIndex.Entries.Count} images are listed and {fileIndex.Skipped.Count} skipped, of {Images.Length}"
            );
            Promise(
                fileIndex.ClassNames.All(name => name.Length > 0 && !name.Any(char.IsControl)),
                "a class has a name that cannot be kept"
            );
            return true;
        }
        catch (DatasetException refused)
        {
            return Refuse(refused.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }
}
