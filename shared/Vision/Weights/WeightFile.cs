using Distributed.Storage;

namespace Distributed.Vision.Weights;

/// <summary>
/// A file of weights, recognised by its content and not by its name: safetensors, or what <c>torch.save</c> makes, in either of its formats.
/// </summary>
internal sealed class WeightFile : IDisposable
{
    private const string Wanted = "Give a .safetensors file, or what torch.save makes of model.state_dict().";

    private readonly IDisposable _owner;
    private readonly Func<IStoredTensor, TensorData> _read;

    private WeightFile(
        string source,
        IDisposable owner,
        IReadOnlyDictionary<string, string> metadata,
        IReadOnlyList<StateDict> stateDicts,
        Func<IStoredTensor, TensorData> read
    )
    {
        Source = source;
        Metadata = metadata;
        StateDicts = stateDicts;
        _owner = owner;
        _read = read;
    }

    /// <summary>What errors call the file.</summary>
    public string Source { get; }

    /// <summary>What a safetensors file says of itself; empty in other formats.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Its mappings of names to tensors, those that are nested least first; at least one.</summary>
    public IReadOnlyList<StateDict> StateDicts { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="WeightsException">It is no such file, is damaged, or asks for code to be run.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static WeightFile Open(string path)
    {
        var stream = OpenRead(path);
        try
        {
            return Open(stream, $"'{path}'", () => SafetensorsFile.Open(path));
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private static FileStream OpenRead(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new WeightsException($"'{path}' may not be read by this process. Grant its user the right to read it.", exception);
        }
    }

    /// <summary>Opens a file that is in memory already.</summary>
    /// <param name="content">The whole file.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="WeightsException">It is no such file, is damaged, or asks for code to be run.</exception>
    public static WeightFile Parse(byte[] content, string source) =>
        Open(new MemoryStream(content, writable: false), source, () => SafetensorsFile.Parse(content, source));

    /// <summary>Reads a tensor of one of the <see cref="StateDicts"/>.</summary>
    /// <exception cref="WeightsException">The file is damaged where the tensor lies.</exception>
    public TensorData Read(IStoredTensor tensor) => _read(tensor);

    public void Dispose() => _owner.Dispose();

    private static WeightFile Open(Stream stream, string source, Func<SafetensorsFile> openSafetensors)
    {
        var head = new byte[Math.Min(FileFormats.HeadBytes, stream.Length)];
        stream.ReadExactly(head);
        var format = FileFormats.Recognize(head);
        if (format == FileFormats.Safetensors)
        {
            stream.Dispose();
            return OfSafetensors(openSafetensors(), source);
        }

        if (format == FileFormats.Zip || format == FileFormats.PytorchZip || head is [0x80, ..])
        {
            var checkpoint = PytorchCheckpoint.Open(stream, source);
            return new WeightFile(source, checkpoint, new Dictionary<string, string>(), checkpoint.StateDicts, checkpoint.Read);
        }

        throw new WeightsException(
            format is null
                ? $"{source} is no weight file, or is damaged at its beginning: it begins with the bytes "
                    + $"{Convert.ToHexStringLower(head.AsSpan(0, Math.Min(head.Length, 8)))}. {Wanted}"
            : format.Remedy is { } remedy ? $"{source} is {format.Name}, not a weight file: {remedy}."
            : $"{source} is {format.Name}, not a weight file. {(format.Kind == FileKind.Archive ? "Unpack it first. " : "")}{Wanted}"
        );
    }

    private static WeightFile OfSafetensors(SafetensorsFile file, string source)
    {
        if (file.Tensors.Count == 0)
        {
            file.Dispose();
            throw new WeightsException($"{source} holds no tensors. {Wanted}");
        }

        var tensors = file.Tensors.ToDictionary(pair => pair.Key, pair => (IStoredTensor)pair.Value, StringComparer.Ordinal);
        return new WeightFile(
            source,
            file,
            file.Metadata,
            [new StateDict(tensors)],
            tensor => file.ReadData(((SafetensorsEntry)tensor).Name)
        );
    }
}
