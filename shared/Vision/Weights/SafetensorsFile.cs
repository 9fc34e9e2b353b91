using Microsoft.Win32.SafeHandles;
using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Key.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extents.</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">Byte after the last, counted from the end of the header.</param>
public sealed record SafetensorsEntry(string Name, torch.ScalarType Type, long[] Shape, long Begin, long End) : IStoredTensor
{
    /// <summary>Bytes.</summary>
    public long Length => End - Begin;
}

/// <summary>
/// An open safetensors file (https://github.com/huggingface/safetensors). Opening reads and checks the header alone; each
/// tensor is read when asked for, by a positioned read, so that many threads may read at once and no mapping can be lost.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle? _handle;
    private readonly ReadOnlyMemory<byte> _content;
    private readonly long _dataStart;

    private SafetensorsFile(string source, SafeFileHandle? handle, ReadOnlyMemory<byte> content, long length)
    {
        Source = source;
        _handle = handle;
        _content = content;
        var prefix = new byte[Math.Min(SafetensorsHeader.PrefixLength, length)];
        Read(prefix, 0);
        var header = new byte[SafetensorsHeader.ReadLength(prefix, length, source)];
        Read(header, SafetensorsHeader.PrefixLength);
        _dataStart = SafetensorsHeader.PrefixLength + header.Length;
        (var metadata, var tensors) = SafetensorsHeader.Parse(header, length - _dataStart, source);
        Metadata = metadata;
        Tensors = tensors;
    }

    /// <summary>What errors call the file: its path, or the name given for bytes.</summary>
    public string Source { get; }

    /// <summary>The strings under <c>__metadata__</c>, ordered by key; empty where there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors by name, ordered.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Tensors { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="WeightsException">The file breaks a rule of the format.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        var handle = File.OpenHandle(path);
        try
        {
            return new SafetensorsFile($"'{path}'", handle, default, RandomAccess.GetLength(handle));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Checks a file that is in memory already. The bytes are not copied.</summary>
    /// <param name="content">The whole file.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="WeightsException">The bytes break a rule of the format.</exception>
    public static SafetensorsFile Parse(ReadOnlyMemory<byte> content, string source = "The safetensors file in memory") =>
        new(source, null, content, content.Length);

    /// <summary>Reads a tensor's bytes.</summary>
    /// <exception cref="WeightsException">There is no such tensor, it is longer than 2 GiB, or the file ended early.</exception>
    public byte[] ReadBytes(string name)
    {
        var entry = Entry(name);
        if (entry.Length > Array.MaxLength)
        {
            throw new WeightsException(
                $"The tensor '{name}' of {Source} has {entry.Length} bytes; at most {Array.MaxLength} can be read at once."
            );
        }

        var bytes = new byte[entry.Length];
        Read(bytes, _dataStart + entry.Begin);
        return bytes;
    }

    /// <summary>Reads a tensor's bytes into memory that is there already.</summary>
    /// <param name="name">Key.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="WeightsException">There is no such tensor, it has another length, or the file ended early.</exception>
    public void ReadBytes(string name, Span<byte> destination)
    {
        var entry = Entry(name);
        if (entry.Length != destination.Length)
        {
            throw new WeightsException(
                $"The tensor '{name}' of {Source} has {entry.Length} bytes, where {destination.Length} are expected."
            );
        }

        Read(destination, _dataStart + entry.Begin);
    }

    /// <summary>Reads some of a tensor's bytes into memory that is there already.</summary>
    /// <param name="name">Key.</param>
    /// <param name="offset">The first byte, counted from the tensor's own.</param>
    /// <param name="destination">As long as what is read.</param>
    /// <exception cref="WeightsException">There is no such tensor, it ends before, or the file ended early.</exception>
    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        var entry = Entry(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (destination.Length > entry.Length - offset)
        {
            throw new WeightsException(
                $"The tensor '{name}' of {Source} has {entry.Length} bytes, where {destination.Length} from byte {offset} on are expected."
            );
        }

        Read(destination, _dataStart + entry.Begin + offset);
    }

    /// <summary>Reads a tensor as plain data.</summary>
    /// <inheritdoc cref="ReadBytes(string)"/>
    public TensorData ReadData(string name)
    {
        var entry = Entry(name);
        return new TensorData(entry.Type, entry.Shape, ReadBytes(name));
    }

    /// <summary>Reads a tensor into LibTorch's memory, on the CPU.</summary>
    /// <inheritdoc cref="ReadBytes(string)"/>
    public torch.Tensor ReadTensor(string name) => ReadData(name).ToTensor();

    /// <inheritdoc/>
    public void Dispose() => _handle?.Dispose();

    private SafetensorsEntry Entry(string name) =>
        Tensors.TryGetValue(name, out var entry) ? entry : throw new WeightsException($"{Source} has no tensor '{name}'.");

    private void Read(Span<byte> destination, long offset)
    {
        if (_handle is null)
        {
            _content.Span.Slice((int)offset, destination.Length).CopyTo(destination);
            return;
        }

        while (destination.Length > 0)
        {
            var count = RandomAccess.Read(_handle, destination, offset);
            if (count == 0)
            {
                throw new WeightsException($"{Source} ended at byte {offset}: it was cut off after it had been opened.");
            }

            destination = destination[count..];
            offset += count;
        }
    }
}
