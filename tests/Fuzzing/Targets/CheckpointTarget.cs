using Distributed.Vision;

namespace Distributed.Fuzzing.Targets;

/// <summary>Files of <c>torch.save</c>, in the zip or the legacy format.</summary>
internal sealed class CheckpointTarget(string kind) : FuzzTarget
{
    public override string Name => kind;

    protected override IReadOnlyList<byte[]> Seeds { get; } = kind == "pth-zip"
        ? [ReadSeed("state-zip.pth"), ReadSeed("nested-zip.pth"), ReadSeed("protocol4-zip.pth"), ReadSeed("evil-zip.pth")]
        : [ReadSeed("state-legacy.pth"), ReadSeed("old-legacy.pth"), ReadSeed("evil-legacy.pth")];

    protected override IReadOnlyList<byte[]> Words => PickleTarget.Opcodes;

    protected override bool KeepsLength => true;

    public override bool Parse(byte[] input)
    {
        try
        {
            using var stream = new MemoryStream(input);
            var state = PytorchCheckpoint.Read(stream, "The file");
            Promise(state.Count > 0, "it has no tensors");
            foreach (var tensor in state.Values)
            {
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
