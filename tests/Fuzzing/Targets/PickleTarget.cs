using System.IO.Compression;
using Distributed.Vision.Weights;

namespace Distributed.Fuzzing.Targets;

/// <summary>The pickle machine: changed pickles of real checkpoints, and programs of random opcodes.</summary>
internal sealed class PickleTarget : FuzzTarget
{
    private const int LongestStorage = 10_000;

    public override string Name => "pickle";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        Inner("state-zip.pth"),
        Inner("nested-zip.pth"),
        Inner("protocol4-zip.pth"),
        Inner("module-zip.pth"),
        Inner("trainer-2.pth"),
        Inner("trainer-5.pth"),
    ];

    protected override IReadOnlyList<byte[]> Words => Opcodes;

    /// <summary>All opcodes that are known, some that are not, with arguments where they have some.</summary>
    public static IReadOnlyList<byte[]> Opcodes { get; } =
    [
        [0x80, 2],
        [0x80, 9],
        [0x95, 0, 0, 0, 0, 0, 0, 0, 0],
        "("u8.ToArray(),
        "N"u8.ToArray(),
        [0x88],
        [0x89],
        [(byte)'J', 255, 255, 255, 255],
        [(byte)'K', 1],
        [(byte)'M', 1, 1],
        [0x8A, 1, 5],
        [0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0x8A, 255],
        [(byte)'G', 0x7F, 0xF8, 0, 0, 0, 0, 0, 0],
        [(byte)'X', 1, 0, 0, 0, (byte)'a'],
        [(byte)'X', 255, 255, 255, 255],
        [0x8C, 1, (byte)'0'],
        [(byte)'T', 1, 0, 0, 0, 0xE4],
        [(byte)'U', 0],
        [(byte)'q', 0],
        [(byte)'q', 1],
        [(byte)'r', 255, 255, 255, 255],
        [0x94],
        [(byte)'h', 0],
        [(byte)'h', 1],
        [(byte)'j', 255, 255, 255, 255],
        ")"u8.ToArray(),
        [0x85],
        [0x86],
        [0x87],
        "t"u8.ToArray(),
        "]"u8.ToArray(),
        "a"u8.ToArray(),
        "e"u8.ToArray(),
        "}"u8.ToArray(),
        "s"u8.ToArray(),
        "u"u8.ToArray(),
        "Q"u8.ToArray(),
        "R"u8.ToArray(),
        "b"u8.ToArray(),
        "."u8.ToArray(),
        [0x93],
        "ccollections\nOrderedDict\n"u8.ToArray(),
        "ctorch._utils\n_rebuild_tensor_v2\n"u8.ToArray(),
        "ctorch\nFloatStorage\n"u8.ToArray(),
        "ctorch._utils\n_rebuild_parameter\n"u8.ToArray(),
        "cos\nsystem\n"u8.ToArray(),
        [0x81],
        [0x92],
        [0x8F],
        [0x90],
        [0x91],
        [(byte)'C', 1, 0],
        [(byte)'B', 255, 255, 255, 255],
        [0x8E, 255, 255, 255, 255, 255, 255, 255, 255],
        [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 7],
        [0x8D, 1, 0, 0, 0, 0, 0, 0, 0, (byte)'a'],
        [0x8B, 1, 0, 0, 0, 1],
        "cargparse\nNamespace\n"u8.ToArray(),
        "cnumpy.core.multiarray\nscalar\n"u8.ToArray(),
        "ctorch._tensor\n_rebuild_from_type_v2\n"u8.ToArray(),
        "0"u8.ToArray(),
        "1"u8.ToArray(),
        "2"u8.ToArray(),
        "i"u8.ToArray(),
        "o"u8.ToArray(),
        "P"u8.ToArray(),
        "I01\n"u8.ToArray(),
    ];

    public override byte[] Create(FuzzRandom random)
    {
        if (!random.OneIn(3))
        {
            return base.Create(random);
        }

        var program = new List<byte>();
        for (var left = 1 + random.Below(40); left > 0; left--)
        {
            program.AddRange(random.Pick(Opcodes));
        }

        program.Add((byte)'.');
        return [.. program];
    }

    public override bool Parse(byte[] input)
    {
        try
        {
            using var stream = new MemoryStream(input);
            var host = new PytorchPickleHost("The file", LongestStorage);
            var found = StateDictSearch.Find(new PickleReader(stream, input.Length, "The file", host).Read());
            Promise(found.All(dict => dict.Tensors.Count > 0), "a mapping without tensors was found");
            Promise(host.Named.Values.Sum(storage => storage.Length) <= LongestStorage, "the storages are longer than the file");
            return true;
        }
        catch (WeightsException refused)
        {
            return Refuse(refused.Message);
        }
    }

    private static byte[] Inner(string name)
    {
        using var zip = new ZipArchive(new MemoryStream(ReadSeed(name)));
        using var content = new MemoryStream();
        zip.Entries.Single(entry => entry.Name == "data.pkl").Open().CopyTo(content);
        return content.ToArray();
    }
}
