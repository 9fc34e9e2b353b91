using System.Text.Json;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;

namespace Distributed.Fuzzing.Targets;

/// <summary>File indexes, packing records and manifests on the volume. Their hashes are checked before; damage must give one kind of error all the same.</summary>
internal sealed class FileIndexTarget : FuzzTarget
{
    private static readonly FileIndex FileIndex = new(
        SourceFormat.ImageFolder,
        "/data/set",
        "set",
        ["a", "b"],
        [new("train/a/1.png", 0, SplitName.Train), new("test/b/2.png", 1, SplitName.Test)],
        [
            [0],
        ],
        new string('0', 64)
    );

    public override string Name => "file-index";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        JsonSerializer.SerializeToUtf8Bytes(FileIndex, DatasetJson.Options),
        JsonSerializer.SerializeToUtf8Bytes<PackedImage[]>(
            [new(0, new string('1', 64), 10, 12, null), new(1, new string('2', 64), 0, 0, "the file is empty", SkipReason.Damaged)],
            DatasetJson.Options
        ),
        JsonSerializer.SerializeToUtf8Bytes(
            new DatasetManifest("set", SourceFormat.Stl10Binary, "/data", "00", ["a"], [new("n", "0", 0, SplitName.Unassigned)], null),
            DatasetJson.Options
        ),
    ];

    protected override IReadOnlyList<byte[]> Words => JsonSeeds.Words;

    public override bool Parse(byte[] input) =>
        TryRead<FileIndex>(input) | TryRead<IReadOnlyList<PackedImage>>(input) | TryRead<DatasetManifest>(input);

    private static bool TryRead<T>(byte[] input)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(input, DatasetJson.Options) is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
