using Distributed.Vision.Weights;

namespace Distributed.Fuzzing.Targets;

/// <summary>Files of <c>torch.save</c>, in the zip or the legacy format.</summary>
internal sealed class CheckpointTarget(string kind) : FuzzTarget
{
    public override string Name => kind;

    protected override IReadOnlyList<byte[]> Seeds { get; } =
        kind == "pth-zip"
            ?
            [
                ReadSeed("state-zip.pth"),
                ReadSeed("nested-zip.pth"),
                ReadSeed("protocol4-zip.pth"),
                ReadSeed("evil-zip.pth"),
                ReadSeed("module-zip.pth"),
                ReadSeed("trainer-2.pth"),
                ReadSeed("trainer-4.pth"),
            ]
            : [ReadSeed("state-legacy.pth"), ReadSeed("old-legacy.pth"), ReadSeed("evil-legacy.pth")];

    protected override IReadOnlyList<byte[]> Words => PickleTarget.Opcodes;

    protected override bool KeepsLength => true;

    public override bool Parse(byte[] input)
    {
        try
        {
            using var file = PytorchCheckpoint.Open(new MemoryStream(input), "The file");
            Promise(file.StateDicts.Count > 0, "it has no tensors");
            foreach (var stored in file.StateDicts.SelectMany(dict => dict.Tensors.Values))
            {
                var tensor = file.Read(stored);
                Promise(TensorTypes.ByteLength(tensor.Type, tensor.Shape) == tensor.Bytes.Length, "a tensor has another length");
            }

            return true;
        }
        catch (WeightsException refused)
        {
            return Refuse(refused.Message);
        }
    }
}
