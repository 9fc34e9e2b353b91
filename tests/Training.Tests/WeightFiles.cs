using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Training.Tests;

/// <summary>Files of weights of the kinds that people have.</summary>
internal static class WeightFiles
{
    /// <summary>A small file of make_onnx.py.</summary>
    public static string OnnxPath(string name) => Path.Combine(AppContext.BaseDirectory, "Golden", "onnx", name);

    /// <summary>A safetensors file: one magnitude in bfloat16 in all convolutions, and normalisations that change nothing.</summary>
    public static byte[] Safetensors(NetworkArchitecture architecture, ushort value)
    {
        var tensors = architecture.Graph.TensorShapes.ToDictionary(
            pair => $"module.features.{pair.Key}",
            pair =>
            {
                var count = (int)pair.Value.Aggregate(1L, (product, side) => product * side);
                ushort one = 0x3F80;
                var bits =
                    pair.Value.Length == 4 ? value
                    : pair.Key.EndsWith(".weight", StringComparison.Ordinal) || pair.Key.EndsWith("_var", StringComparison.Ordinal) ? one
                    : (ushort)0;
                // Signs that follow no order, or all features would be alike.
                ushort[] values =
                [
                    .. Enumerable
                        .Range(0, count)
                        .Select(i => pair.Value.Length == 4 ? (ushort)(bits ^ ((uint)i * 2_654_435_761u >> 31 << 15)) : bits),
                ];
                return new TensorData(TorchSharp.torch.ScalarType.BFloat16, pair.Value, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
            }
        );
        return SafetensorsWriter.ToBytes(tensors);
    }

    /// <summary>The same tensors in other bytes: the header may end in spaces.</summary>
    public static byte[] Pad(byte[] safetensors)
    {
        const int Spaces = 8;
        var headerLength = BitConverter.ToInt64(safetensors);
        return
        [
            .. BitConverter.GetBytes(headerLength + Spaces),
            .. safetensors.AsSpan(8, (int)headerLength),
            .. Enumerable.Repeat((byte)' ', Spaces),
            .. safetensors.AsSpan(8 + (int)headerLength),
        ];
    }

    /// <summary>The tensors of a safetensors file as PyTorch saves a state dict: one storage that all tensors are slices of.</summary>
    public static byte[] AsPth(byte[] safetensors)
    {
        var headerLength = (int)BitConverter.ToInt64(safetensors);
        using var header = JsonDocument.Parse(safetensors.AsMemory(8, headerLength));
        var data = safetensors.AsSpan(8 + headerLength);
        using var pickle = new MemoryStream();
        Write([0x80, 2, (byte)'}', (byte)'(']);
        foreach (var tensor in header.RootElement.EnumerateObject().Where(member => member.Name != "__metadata__"))
        {
            var storage = tensor.Value.GetProperty("dtype").GetString() switch
            {
                "F16" => "HalfStorage",
                "BF16" => "BFloat16Storage",
                var other => throw new NotSupportedException(other),
            };
            var shape = tensor.Value.GetProperty("shape").EnumerateArray().Select(side => side.GetInt32()).ToArray();
            Text(tensor.Name);
            Global("torch._utils _rebuild_tensor_v2");
            Write("(("u8);
            Text("storage");
            Global("torch " + storage);
            Text("0");
            Text("cpu");
            Number(data.Length / 2);
            Write("tQ"u8);
            Number(tensor.Value.GetProperty("data_offsets")[0].GetInt32() / 2);
            Tuple(shape);
            Tuple([.. shape.Select((_, i) => shape[(i + 1)..].Aggregate(1, (product, side) => product * side))]);
            Write([0x89]);
            Global("collections OrderedDict");
            Write(")RtR"u8);
        }

        Write("u."u8);
        using var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            Entry(zip, "data.pkl", pickle.ToArray());
            Entry(zip, "data/0", data);
            Entry(zip, "version", "3\n"u8);
        }

        return file.ToArray();

        void Write(ReadOnlySpan<byte> bytes) => pickle.Write(bytes);

        void Text(string text)
        {
            Write("X"u8);
            Write(BitConverter.GetBytes(Encoding.UTF8.GetByteCount(text)));
            Write(Encoding.UTF8.GetBytes(text));
        }

        void Number(int number)
        {
            Write("J"u8);
            Write(BitConverter.GetBytes(number));
        }

        void Global(string name) => Write(Encoding.ASCII.GetBytes($"c{name.Replace(' ', '\n')}\n"));

        void Tuple(int[] numbers)
        {
            Write("("u8);
            foreach (var number in numbers)
            {
                Number(number);
            }

            Write("t"u8);
        }

        static void Entry(ZipArchive zip, string name, ReadOnlySpan<byte> content)
        {
            using var entry = zip.CreateEntry("archive/" + name, CompressionLevel.NoCompression).Open();
            entry.Write(content);
        }
    }
}
