using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Distributed.Vision.Tests.Weights;

/// <summary>Writes pickles as CPython's pickler writes them in protocol 2, and the files that <c>torch.save</c> puts them in.</summary>
internal sealed class PickleBuilder
{
    private readonly List<byte> _bytes = [];

    public static byte[] Build(Action<PickleBuilder> value)
    {
        var builder = new PickleBuilder();
        builder.Raw([0x80, 2]);
        value(builder);
        builder.Raw("."u8);
        return [.. builder._bytes];
    }

    public static Action<PickleBuilder> Text(string text) =>
        pickle =>
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            pickle.Raw("X"u8);
            pickle.Raw(BitConverter.GetBytes(bytes.Length));
            pickle.Raw(bytes);
        };

    public static Action<PickleBuilder> Number(long number) =>
        pickle =>
        {
            if (number is >= int.MinValue and <= int.MaxValue)
            {
                pickle.Raw("J"u8);
                pickle.Raw(BitConverter.GetBytes((int)number));
            }
            else
            {
                pickle.Raw([0x8A, 8]);
                pickle.Raw(BitConverter.GetBytes(number));
            }
        };

    public static Action<PickleBuilder> Double(double number) =>
        pickle =>
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteDoubleBigEndian(bytes, number);
            pickle.Raw("G"u8);
            pickle.Raw(bytes);
        };

    public static Action<PickleBuilder> None { get; } = pickle => pickle.Raw("N"u8);

    public static Action<PickleBuilder> False { get; } = pickle => pickle.Raw([0x89]);

    /// <summary>Bytes of protocol 3 and later.</summary>
    public static Action<PickleBuilder> Bytes(byte[] bytes) =>
        pickle =>
        {
            pickle.Raw("B"u8);
            pickle.Raw(BitConverter.GetBytes(bytes.Length));
            pickle.Raw(bytes);
        };

    public static Action<PickleBuilder> Global(string module, string name) =>
        pickle => pickle.Raw(Encoding.UTF8.GetBytes($"c{module}\n{name}\n"));

    public static Action<PickleBuilder> Tuple(params Action<PickleBuilder>[] items) => pickle => pickle.Marked("(", items, "t");

    public static Action<PickleBuilder> List(params Action<PickleBuilder>[] items) => pickle => pickle.Marked("](", items, "e");

    public static Action<PickleBuilder> Set(params Action<PickleBuilder>[] items) =>
        pickle =>
        {
            pickle.Raw([0x8F]);
            pickle.Marked("(", items, "");
            pickle.Raw([0x90]);
        };

    /// <summary>A dict whose keys are no strings.</summary>
    public static Action<PickleBuilder> DictOf(params IEnumerable<(Action<PickleBuilder> Key, Action<PickleBuilder> Value)> items) =>
        pickle => pickle.Marked("}(", items.SelectMany(item => new[] { item.Key, item.Value }), "u");

    public static Action<PickleBuilder> Dict(params IEnumerable<(string Key, Action<PickleBuilder> Value)> items) =>
        DictOf(items.Select(item => (Text(item.Key), item.Value)));

    /// <summary>A call of a global: what <c>__reduce__</c> gives, with state and items where there are any.</summary>
    public static Action<PickleBuilder> Call(
        string module,
        string name,
        Action<PickleBuilder>[] arguments,
        Action<PickleBuilder>? state = null,
        IEnumerable<(string Key, Action<PickleBuilder> Value)>? items = null
    ) => Made(module, name, arguments, 'R', state, items);

    /// <summary>An object made by <c>cls.__new__</c>, as plain Python classes are.</summary>
    public static Action<PickleBuilder> New(
        string module,
        string name,
        Action<PickleBuilder>? state = null,
        IEnumerable<(string Key, Action<PickleBuilder> Value)>? items = null
    ) => Made(module, name, [], '\u0081', state, items);

    /// <summary>A tensor in row-major order over a storage of its own.</summary>
    public static Action<PickleBuilder> Tensor(string storageType, string key, int offset, int count, params int[] shape) =>
        pickle =>
            Call(
                "torch._utils",
                "_rebuild_tensor_v2",
                [
                    inner =>
                    {
                        Tuple(Text("storage"), Global("torch", storageType), Text(key), Text("cpu"), Number(count))(inner);
                        inner.Raw("Q"u8);
                    },
                    Number(offset),
                    Tuple([.. shape.Select(side => Number(side))]),
                    Tuple([.. shape.Select((_, i) => Number(shape[(i + 1)..].Aggregate(1, (product, side) => product * side)))]),
                    False,
                    Call("collections", "OrderedDict", []),
                ]
            )(pickle);

    public void Raw(ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

    private static Action<PickleBuilder> Made(
        string module,
        string name,
        Action<PickleBuilder>[] arguments,
        char opcode,
        Action<PickleBuilder>? state,
        IEnumerable<(string Key, Action<PickleBuilder> Value)>? items
    ) =>
        pickle =>
        {
            Global(module, name)(pickle);
            Tuple(arguments)(pickle);
            pickle.Raw([(byte)opcode]);
            if (items is not null)
            {
                pickle.Marked("(", items.SelectMany(item => new[] { Text(item.Key), item.Value }), "u");
            }

            if (state is not null)
            {
                state(pickle);
                pickle.Raw("b"u8);
            }
        };

    private void Marked(string begin, IEnumerable<Action<PickleBuilder>> items, string end)
    {
        Raw(Encoding.Latin1.GetBytes(begin));
        foreach (var item in items)
        {
            item(this);
        }

        Raw(Encoding.Latin1.GetBytes(end));
    }
}

/// <summary>The two formats of <c>torch.save</c>.</summary>
internal static class TorchFiles
{
    public static byte[] Zip(byte[] pickle, IReadOnlyDictionary<string, byte[]> storages, params (string Name, byte[] Content)[] others)
    {
        using var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add(zip, "archive/data.pkl", pickle, CompressionLevel.NoCompression);
            foreach (var (key, content) in storages)
            {
                Add(zip, $"archive/data/{key}", content, CompressionLevel.NoCompression);
            }

            Add(zip, "archive/version", "3\n"u8.ToArray(), CompressionLevel.NoCompression);
            foreach (var (name, content) in others)
            {
                Add(zip, name, content, CompressionLevel.Optimal);
            }
        }

        return file.ToArray();
    }

    /// <summary>Counts are those of elements.</summary>
    public static byte[] Legacy(byte[] pickle, IReadOnlyDictionary<string, (long Count, byte[] Content)> storages)
    {
        using var file = new MemoryStream();
        file.Write([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, (byte)'.']);
        file.Write(PickleBuilder.Build(PickleBuilder.Number(1001)));
        file.Write([0x80, 2, (byte)'}', (byte)'(']);
        file.Write([(byte)'X', 13, 0, 0, 0, .. "little_endian"u8, 0x88, (byte)'u', (byte)'.']);
        file.Write(pickle);
        file.Write(PickleBuilder.Build(PickleBuilder.List([.. storages.Keys.Select(PickleBuilder.Text)])));
        foreach (var (count, content) in storages.Values)
        {
            file.Write(BitConverter.GetBytes(count));
            file.Write(content);
        }

        return file.ToArray();
    }

    private static void Add(ZipArchive zip, string name, byte[] content, CompressionLevel level)
    {
        using var entry = zip.CreateEntry(name, level).Open();
        entry.Write(content);
    }
}
