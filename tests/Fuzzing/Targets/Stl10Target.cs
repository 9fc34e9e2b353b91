using System.Buffers.Binary;
using System.Text;
using Distributed.Datasets;
using Distributed.Datasets.Sources;

namespace Distributed.Fuzzing.Targets;

/// <summary>File index of STL-10's binary files. An input holds the text files and labels, each with its length before it, and the lengths of the image files.</summary>
internal sealed class Stl10Target : FuzzTarget
{
    private static readonly string[] Parts = [Stl10Files.ClassNames, Stl10Files.FoldIndices, Stl10Files.TrainLabels, Stl10Files.TestLabels];

    private readonly Sandbox _sandbox = new();

    // Unicode's tables are read once, with the first name that needs them.
    public Stl10Target() => _ = ClassName.Read("é", "");

    public override string Name => "stl10";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        Pack(
            6 * Stl10Files.ImageBytes,
            3 * Stl10Files.ImageBytes,
            "cat\ndog\n",
            "0 1 2\n3 4 5\n",
            "\u0001\u0002\u0001\u0002\u0001\u0002",
            "\u0001\u0002\u0001"
        ),
        Pack(2 * Stl10Files.ImageBytes, Stl10Files.ImageBytes, "a\nb", "", "\u0001\u0002", "\u0001"),
        Pack(4L << 40, 4L << 40, "a\nb\nc", "0", "\u0001\u0002\u0003", "\u0001"),
    ];

    protected override IReadOnlyList<byte[]> Words { get; } =
        AsBytes("\n", "\r\n", "0 ", "-1", "99999999999999999999", "\0", "\ufeff", "é", "\ud7ff", " ", "cat\n");

    public override byte[] Create(FuzzRandom random)
    {
        // In the parts, so that their lengths stay right.
        var (train, test, parts) = Unpack(random.Pick(Seeds));
        var changed = random.Below(6);
        if (changed < 4)
        {
            parts[changed] = Mutation.Apply(parts[changed], parts, Words, keepsLength: changed > 1 && !random.OneIn(3), random);
        }
        else
        {
            train = changed == 4 ? random.Magnitude(45) : train;
            test = changed == 5 ? random.Magnitude(20) * Stl10Files.ImageBytes : test;
        }

        return Pack(train, test, parts);
    }

    public override bool Parse(byte[] input)
    {
        var (train, test, parts) = Unpack(input);
        for (var i = 0; i < Parts.Length; i++)
        {
            File.WriteAllBytes(_sandbox.At(Parts[i]), parts[i]);
        }

        SetLength(Stl10Files.TrainImages, train);
        SetLength(Stl10Files.TestImages, test);
        if (parts[1].Length == 0)
        {
            File.Delete(_sandbox.At(Stl10Files.FoldIndices));
        }

        try
        {
            var fileIndex = DatasetSource.ListAsync(_sandbox.Root).GetAwaiter().GetResult();
            Promise(fileIndex.Entries.Count == (train + test) / Stl10Files.ImageBytes, "the file index has another number of images");
            Promise(fileIndex.Entries.All(entry => entry.Label >= 0 && entry.Label < fileIndex.ClassNames.Count), "a label names no class");
            Promise(
                fileIndex.Folds is null
                    || fileIndex.Folds.All(fold => fold.All(index => index >= 0 && index < train / Stl10Files.ImageBytes)),
                "a fold names no image"
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
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] Pack(long train, long test, params string[] parts) =>
        Pack(train, test, [.. parts.Select(Encoding.Latin1.GetBytes)]);

    private static byte[] Pack(long train, long test, IReadOnlyList<byte[]> parts)
    {
        var packed = new List<byte>(16);
        Span<byte> number = stackalloc byte[8];
        foreach (var length in new[] { train, test })
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, length);
            packed.AddRange(number);
        }

        foreach (var part in parts)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, part.Length);
            packed.AddRange(number[..4]);
            packed.AddRange(part);
        }

        return [.. packed];
    }

    private static (long Train, long Test, byte[][] Parts) Unpack(byte[] packed)
    {
        var parts = new byte[Parts.Length][];
        var at = 16;
        for (var i = 0; i < parts.Length; i++)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(packed.AsSpan(at));
            parts[i] = packed[(at + 4)..(at + 4 + length)];
            at += 4 + length;
        }

        return (BinaryPrimitives.ReadInt64LittleEndian(packed), BinaryPrimitives.ReadInt64LittleEndian(packed.AsSpan(8)), parts);
    }

    // A file of holes takes no memory, however long it claims to be.
    private void SetLength(string name, long length)
    {
        using var file = new FileStream(_sandbox.At(name), FileMode.Create);
        file.SetLength(length);
    }
}
