using System.IO.Compression;
using System.Numerics;

namespace Distributed.Vision;

/// <summary>
/// Reads what <c>torch.save</c> makes of a state dict, in the zip format (since PyTorch 1.6) and the legacy one, without
/// running anything: the pickle may refer to tensors, dictionaries and storages only.
/// </summary>
public static class PytorchCheckpoint
{
    /// <summary>Bytes. That of a DenseNet has about 100,000; and a hostile one can make objects a hundred times its length.</summary>
    private const long LongestPickle = 4 << 20;
    private const int LegacyProtocol = 1001;

    /// <summary>Where trainers put the state dict in a larger checkpoint.</summary>
    private static readonly string[] Wrappings = ["state_dict", "model"];

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("01950a86a20f9469cfc6c", System.Globalization.NumberStyles.HexNumber, null);

    /// <summary>Reads the tensors of a state dict, on its own or under <c>state_dict</c> or <c>model</c>.</summary>
    /// <param name="path">A .pth, .pt or .bin file.</param>
    /// <returns>Tensors by name, in row-major order.</returns>
    /// <exception cref="WeightsException">The file is damaged, of another format, or asks for code.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyDictionary<string, TensorData> Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        return Read(stream, $"'{path}'");
    }

    /// <summary>Reads from a stream that can seek.</summary>
    /// <param name="stream">The whole file.</param>
    /// <param name="source">What errors call it.</param>
    /// <inheritdoc cref="Read(string)"/>
    public static IReadOnlyDictionary<string, TensorData> Read(Stream stream, string source)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> start = stackalloc byte[4];
        stream.Position = 0;
        var isZip = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("PK\x03\x04"u8);
        stream.Position = 0;
        try
        {
            return isZip ? ReadZip(stream, source) : ReadLegacy(stream, source);
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException)
        {
            throw new WeightsException($"{source} is damaged: {failure.Message}", failure);
        }
    }

    private static Dictionary<string, TensorData> ReadZip(Stream stream, string source)
    {
        using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        var entries = new Dictionary<string, ZipArchiveEntry>();
        foreach (var entry in zip.Entries)
        {
            // PyTorch stores without compression, so a longer content is a bomb.
            if (entry.Length != entry.CompressedLength || entry.Length > stream.Length || !entries.TryAdd(entry.FullName, entry))
            {
                throw new WeightsException($"{source} is no PyTorch checkpoint: its entry '{entry.FullName}' is compressed, damaged, or occurs twice.");
            }
        }

        const string pickleName = "/data.pkl";
        var pickles = entries.Keys.Where(name => name.EndsWith(pickleName, StringComparison.Ordinal)).ToList();
        if (pickles is not [var pickle] || entries[pickle].Length > LongestPickle)
        {
            throw new WeightsException($"{source} is no PyTorch checkpoint: of '*{pickleName}', up to {LongestPickle} bytes long, it has {pickles.Count}. TorchScript archives are not read; save the state dict.");
        }

        var folder = pickle[..^pickleName.Length];
        if (entries.TryGetValue($"{folder}/byteorder", out var order) && !Content(order).AsSpan().SequenceEqual("little"u8))
        {
            throw new WeightsException($"{source} was written on a big-endian machine; save it again on a little-endian one.");
        }

        var host = new PytorchPickleHost(source, stream.Length);
        using var content = new MemoryStream(Content(entries[pickle]));
        var root = new PickleReader(content, content.Length, source, host).Read();
        return StateDict(root, source, storage =>
        {
            var name = $"{folder}/data/{storage.Key}";
            return entries.TryGetValue(name, out var entry) && entry.Length == storage.Length
                ? Content(entry)
                : throw new WeightsException($"{source} has no entry '{name}' of {storage.Length} bytes, which its pickle refers to.");
        });

        static byte[] Content(ZipArchiveEntry entry)
        {
            var bytes = new byte[entry.Length];
            using var opened = entry.Open();
            opened.ReadExactly(bytes);
            return bytes;
        }
    }

    private static Dictionary<string, TensorData> ReadLegacy(Stream stream, string source)
    {
        var host = new PytorchPickleHost(source, stream.Length);
        object? Next() => new PickleReader(stream, Math.Min(stream.Length, stream.Position + LongestPickle), source, host).Read();
        object? magic;
        try
        {
            magic = Next();
        }
        catch (WeightsException failure)
        {
            throw new WeightsException($"{source} is no PyTorch checkpoint, neither zip nor legacy: {failure.Message}", failure);
        }

        if (magic is not BigInteger number || number != LegacyMagic || Next() is not (long)LegacyProtocol)
        {
            throw new WeightsException($"{source} is no PyTorch checkpoint, neither zip nor legacy.");
        }

        if (Next() is PickleDictionary system && system.TryGetValue("little_endian", out var little) && little is false)
        {
            throw new WeightsException($"{source} was written on a big-endian machine; save it again on a little-endian one.");
        }

        var root = Next();
        if (Next() is not List<object?> keys)
        {
            throw new WeightsException($"{source} does not list its storages.");
        }

        var contents = new Dictionary<string, byte[]>();
        using var reader = new BinaryReader(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        foreach (var key in keys)
        {
            var storage = key is string name ? host.Named.GetValueOrDefault(name) : null;
            if (storage is null || reader.ReadInt64() != storage.Count || storage.Length > stream.Length - stream.Position)
            {
                throw new WeightsException($"The storage '{key}' of {source} is cut off, or is not what its pickle says.");
            }

            var content = new byte[storage.Length];
            stream.ReadExactly(content);
            if (!contents.TryAdd(storage.Key, content))
            {
                throw new WeightsException($"The storage '{key}' of {source} occurs twice.");
            }
        }

        return StateDict(root, source, storage => contents.TryGetValue(storage.Key, out var content)
            ? content
            : throw new WeightsException($"{source} lacks the storage '{storage.Key}', which its pickle refers to."));
    }

    private static Dictionary<string, TensorData> StateDict(object? root, string source, Func<PytorchStorage, byte[]> read)
    {
        if (root is not PickleDictionary dictionary)
        {
            throw new WeightsException($"{source} does not hold a state dict but a {root?.GetType().Name ?? "None"}; save model.state_dict().");
        }

        foreach (var wrapping in Wrappings)
        {
            if (dictionary.TryGetValue(wrapping, out var inner) && inner is PickleDictionary wrapped)
            {
                dictionary = wrapped;
                break;
            }
        }

        var storages = new Dictionary<string, byte[]>();
        var tensors = new Dictionary<string, TensorData>();
        var (stored, copied) = (0L, 0L);
        foreach (var (name, value) in dictionary)
        {
            if (value is not PytorchTensor tensor)
            {
                continue;
            }

            if (!storages.TryGetValue(tensor.Storage.Key, out var content))
            {
                storages.Add(tensor.Storage.Key, content = read(tensor.Storage));
                stored += content.Length;
            }

            tensors.Add(name, View(tensor, content));
        }

        // Tensors that share a storage are slices of it; only those that are not in row-major order take memory of their own.
        return tensors.Count > 0
            ? tensors
            : throw new WeightsException($"{source} holds no tensors by name; save model.state_dict(), or that under 'state_dict' or 'model'.");

        TensorData View(PytorchTensor tensor, byte[] content)
        {
            var size = TensorTypes.ElementSize(tensor.Storage.Type);
            var length = (int)TensorTypes.ByteLength(tensor.Storage.Type, tensor.Shape);
            if (IsRowMajor(tensor))
            {
                var begin = length == 0 ? 0 : (int)(tensor.Offset * size);
                return new TensorData(tensor.Storage.Type, tensor.Shape, content.AsMemory(begin, length));
            }

            copied += length;
            if (copied > stored)
            {
                throw new WeightsException($"The tensors of {source} overlap more than those of a network do.");
            }

            return new TensorData(tensor.Storage.Type, tensor.Shape, Gather(tensor, content, size, length));
        }
    }

    private static bool IsRowMajor(PytorchTensor tensor)
    {
        var expected = 1L;
        for (var i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            if (tensor.Shape[i] != 1 && tensor.Strides[i] != expected)
            {
                return false;
            }

            expected *= Math.Max(tensor.Shape[i], 1);
        }

        return true;
    }

    private static byte[] Gather(PytorchTensor tensor, byte[] content, int size, int length)
    {
        var gathered = new byte[length];
        var index = new long[tensor.Shape.Length];
        var at = tensor.Offset;
        for (var filled = 0; filled < length; filled += size)
        {
            content.AsSpan((int)(at * size), size).CopyTo(gathered.AsSpan(filled));
            for (var i = index.Length - 1; i >= 0; i--)
            {
                at += tensor.Strides[i];
                if (++index[i] < tensor.Shape[i])
                {
                    break;
                }

                at -= tensor.Strides[i] * tensor.Shape[i];
                index[i] = 0;
            }
        }

        return gathered;
    }
}
