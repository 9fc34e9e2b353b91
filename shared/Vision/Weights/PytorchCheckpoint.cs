using System.IO.Compression;
using System.Numerics;

namespace Distributed.Vision.Weights;

/// <summary>
/// An open file of <c>torch.save</c>, in the zip format (since PyTorch 1.6) or the legacy one. Nothing in it is run: its pickle
/// describes tensors, and objects of other kinds are values that do nothing. Each tensor is read when asked for.
/// </summary>
internal sealed class PytorchCheckpoint : IDisposable
{
    /// <summary>Bytes. That of a DenseNet has about 100,000; and a hostile one can make objects a hundred times its length.</summary>
    private const long LongestPickle = 4 << 20;
    private const int LegacyProtocol = 1001;
    private const int MostNamesInAnError = 5;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse(
        "01950a86a20f9469cfc6c",
        System.Globalization.NumberStyles.HexNumber,
        null
    );

    private readonly IDisposable[] _owned;
    private readonly string _source;
    private readonly Func<PytorchStorage, byte[]> _readStorage;
    private readonly Dictionary<string, byte[]> _storages = [];
    private long _stored;
    private long _copied;

    private PytorchCheckpoint(string source, object? root, Func<PytorchStorage, byte[]> readStorage, params IDisposable[] owned)
    {
        _source = source;
        _readStorage = readStorage;
        _owned = owned;
        StateDicts = StateDictSearch.Find(root);
        if (StateDicts.Count == 0)
        {
            throw new WeightsException($"{source} holds no tensors by name{Found(root)}. Save model.state_dict().");
        }
    }

    /// <summary>The mappings of names to tensors, those that are nested least first; at least one.</summary>
    public IReadOnlyList<StateDict> StateDicts { get; }

    /// <summary>Reads what a file describes, and none of its tensors yet.</summary>
    /// <param name="stream">The whole file, which can seek; taken over.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="WeightsException">The file is damaged, of another format, or asks for code to be run.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static PytorchCheckpoint Open(Stream stream, string source)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> start = stackalloc byte[4];
        stream.Position = 0;
        var isZip =
            stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("PK\x03\x04"u8);
        stream.Position = 0;
        return Guard(source, () => isZip ? OpenZip(stream, source) : OpenLegacy(stream, source));
    }

    /// <summary>Reads a tensor of one of the <see cref="StateDicts"/>.</summary>
    /// <exception cref="WeightsException">The file does not hold what its pickle describes.</exception>
    public TensorData Read(IStoredTensor stored)
    {
        var tensor = (PytorchTensor)stored;
        if (!_storages.TryGetValue(tensor.Storage.Key, out var content))
        {
            _storages.Add(tensor.Storage.Key, content = Guard(_source, () => _readStorage(tensor.Storage)));
            _stored += content.Length;
        }

        var size = TensorTypes.ElementSize(tensor.Type);
        var length = (int)TensorTypes.ByteLength(tensor.Type, tensor.Shape);
        if (IsRowMajor(tensor))
        {
            var begin = length == 0 ? 0 : (int)(tensor.Offset * size);
            return new TensorData(tensor.Type, tensor.Shape, content.AsMemory(begin, length));
        }

        // Tensors that share a storage are slices of it; only those that are not in row-major order take memory of their own.
        _copied += length;
        return _copied <= _stored
            ? new TensorData(tensor.Type, tensor.Shape, Gather(tensor, content, size, length))
            : throw new WeightsException($"The tensors of {_source} overlap more than those of a network do.");
    }

    public void Dispose()
    {
        foreach (var owned in _owned)
        {
            owned.Dispose();
        }
    }

    private static PytorchCheckpoint OpenZip(Stream stream, string source)
    {
        var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        var entries = new Dictionary<string, ZipArchiveEntry>();
        foreach (var entry in zip.Entries)
        {
            if (!entries.TryAdd(entry.FullName, entry))
            {
                throw new WeightsException($"{source} is no PyTorch checkpoint, or is damaged: its entry '{entry.FullName}' occurs twice.");
            }
        }

        const string pickleName = "/data.pkl";
        var pickles = entries.Keys.Where(name => name.EndsWith(pickleName, StringComparison.Ordinal)).ToList();
        if (pickles is not [var pickle])
        {
            throw new WeightsException(
                $"{source} is a zip archive, but not one of torch.save: of '*{pickleName}' it has {pickles.Count}{Kind(entries)}. "
                    + "Give a .safetensors file, or what torch.save makes of model.state_dict()."
            );
        }

        var folder = pickle[..^pickleName.Length];
        if (entries.TryGetValue($"{folder}/byteorder", out var order) && !Content(order).AsSpan().SequenceEqual("little"u8))
        {
            throw new WeightsException($"{source} was written on a big-endian machine; save it again on a little-endian one.");
        }

        var host = new PytorchPickleHost(source, stream.Length);
        using var content = new MemoryStream(Content(Bounded(entries[pickle])));
        var root = new PickleReader(content, content.Length, source, host).Read();
        return new PytorchCheckpoint(source, root, Storage, zip, stream);

        byte[] Storage(PytorchStorage storage)
        {
            var name = $"{folder}/data/{storage.Key}";
            return entries.TryGetValue(name, out var entry) && entry.Length == storage.Length
                ? Content(entry)
                : throw new WeightsException($"{source} has no entry '{name}' of {storage.Length} bytes, which its pickle refers to.");
        }

        ZipArchiveEntry Bounded(ZipArchiveEntry entry) =>
            entry.Length <= LongestPickle
                ? entry
                : throw new WeightsException(
                    $"{source} holds more than tensors: its '{entry.FullName}' has {entry.Length} bytes, and up to "
                        + $"{LongestPickle} are read. Save model.state_dict() alone."
                );

        byte[] Content(ZipArchiveEntry entry)
        {
            // PyTorch stores all of these without compression, so a longer content is a bomb.
            if (entry.Length != entry.CompressedLength || entry.Length > stream.Length)
            {
                throw new WeightsException(
                    $"{source} is no PyTorch checkpoint, or is damaged: its entry '{entry.FullName}' is compressed, or longer "
                        + "than the file."
                );
            }

            var bytes = new byte[entry.Length];
            using var opened = entry.Open();
            opened.ReadExactly(bytes);
            return bytes;
        }
    }

    /// <summary>What else a zip archive is, as far as the names in it tell.</summary>
    private static string Kind(Dictionary<string, ZipArchiveEntry> entries) =>
        entries.Count > 0 && entries.Keys.All(name => name.EndsWith(".npy", StringComparison.Ordinal)) ? "; it holds NumPy arrays (.npz)"
        : entries.ContainsKey("model.weights.h5") ? "; it is a Keras file"
        : $"; it holds {string.Join(", ", entries.Keys.Take(MostNamesInAnError).Select(name => $"'{name}'"))}"
            + (entries.Count > MostNamesInAnError ? $" and {entries.Count - MostNamesInAnError} more" : "");

    private static PytorchCheckpoint OpenLegacy(Stream stream, string source)
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
            throw new WeightsException(
                $"{source} is a Python pickle, but not one of torch.save. Give a .safetensors file, or what torch.save makes of "
                    + "model.state_dict()."
            );
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

        var positions = new Dictionary<string, long>();
        var length = new byte[sizeof(long)];
        foreach (var key in keys)
        {
            var storage = key is string name ? host.Named.GetValueOrDefault(name) : null;
            if (storage is null)
            {
                throw new WeightsException(
                    $"The storage '{key}' of {source} is not described by its pickle, or is of a kind that is not read, such as "
                        + "quantised numbers."
                );
            }

            stream.ReadExactly(length);
            if (BitConverter.ToInt64(length) != storage.Count || storage.Length > stream.Length - stream.Position)
            {
                throw new WeightsException($"The storage '{key}' of {source} is cut off, or is not what its pickle says.");
            }

            if (!positions.TryAdd(storage.Key, stream.Position))
            {
                throw new WeightsException($"The storage '{key}' of {source} occurs twice.");
            }

            stream.Position += storage.Length;
        }

        return new PytorchCheckpoint(source, root, Storage, stream);

        byte[] Storage(PytorchStorage storage)
        {
            stream.Position = positions.TryGetValue(storage.Key, out var position)
                ? position
                : throw new WeightsException($"{source} lacks the storage '{storage.Key}', which its pickle refers to.");
            var content = new byte[storage.Length];
            stream.ReadExactly(content);
            return content;
        }
    }

    private static T Guard<T>(string source, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException)
        {
            throw new WeightsException($"{source} is damaged: {failure.Message}", failure);
        }
    }

    /// <summary>What is there instead of tensors by name.</summary>
    private static string Found(object? root) =>
        root switch
        {
            PickleDictionary { Count: > 0 } dictionary =>
                $", but {string.Join(", ", dictionary.Keys.Take(MostNamesInAnError).Select(name => $"'{name}'"))}",
            PickleObject item => $", but an object of '{item.Name}'",
            IStoredTensor => ", but one tensor",
            _ => "",
        };

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
