using System.Buffers.Binary;
using Distributed.Vision.Weights;

namespace Distributed.Fuzzing.Targets;

/// <summary>Weight, feature and checkpoint files in safetensors.</summary>
internal sealed class SafetensorsTarget : FuzzTarget
{
    public override string Name => "safetensors";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        SafetensorsWriter.ToBytes(
            new Dictionary<string, TensorData>
            {
                ["weight"] = TensorData.FromValues([1f, 2, 3, 4], 2, 2),
                ["bias"] = TensorData.FromValues([1L]),
            }
        ),
        SafetensorsWriter.ToBytes(
            new Dictionary<string, TensorData> { ["a"] = TensorData.FromValues([1d], 1) },
            new Dictionary<string, string> { ["k"] = "v", ["ä"] = "\u2028" }
        ),
        Join(
            """{"e":{"dtype":"BF16","shape":[0,3],"data_offsets":[0,0]},"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"""u8.ToArray(),
            [7]
        ),
    ];

    protected override IReadOnlyList<byte[]> Words { get; } =
        AsBytes(
            "\"dtype\":",
            "\"shape\":",
            "\"data_offsets\":",
            "\"__metadata__\":",
            "\"F32\"",
            "\"I64\"",
            "[0,0]",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "null",
            "true",
            "-1",
            "1e9",
            "9223372036854775807",
            "4611686018427387904",
            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "{\"a\":{\"a\":{\"a\":",
            "[[[[[[[["
        );

    public override byte[] Create(FuzzRandom random)
    {
        if (random.OneIn(5))
        {
            return base.Create(random);
        }

        // Header and data by themselves, so that the length before the header stays right.
        var seed = random.Pick(Seeds);
        var end = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(seed);
        var header = Mutation.Apply(seed[8..end], [.. Seeds.Select(other => other[8..])], Words, keepsLength: false, random);
        var data = random.OneIn(4) ? random.Bytes(random.Below(40)) : seed[end..];
        return Join(header, data);
    }

    public override bool Parse(byte[] input)
    {
        try
        {
            using var file = SafetensorsFile.Parse(input);
            var total = 0L;
            foreach (var (name, entry) in file.Tensors)
            {
                var data = file.ReadData(name);
                Promise(data.Bytes.Length == entry.Length && entry.Begin >= 0 && entry.Length >= 0, "a tensor has another length");
                total += data.Bytes.Length;
            }

            Promise(total <= input.Length, "the tensors are longer than the file");
            return true;
        }
        catch (WeightsException refused)
        {
            return Refuse(refused.Message);
        }
    }

    private static byte[] Join(byte[] header, byte[] data)
    {
        var file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        data.CopyTo(file, 8 + header.Length);
        return file;
    }
}
