using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>A run of elements in a checkpoint, that tensors are views of.</summary>
/// <param name="Type">Element type.</param>
/// <param name="Key">Its name in the file.</param>
/// <param name="Count">Elements.</param>
internal sealed record PytorchStorage(torch.ScalarType Type, string Key, long Count)
{
    public long Length => Count * TensorTypes.ElementSize(Type);
}

/// <summary>A tensor as a checkpoint describes it; lengths count elements.</summary>
internal sealed record PytorchTensor(PytorchStorage Storage, long Offset, long[] Shape, long[] Strides) : IStoredTensor
{
    public torch.ScalarType Type => Storage.Type;
}

/// <summary>
/// What the pickle of a checkpoint may refer to: tensors over storages and ordered dictionaries are what they say, and all other
/// objects, such as the settings of the training, are values that do nothing.
/// </summary>
/// <remarks>
/// Nothing is called in any case. Names that run programs or code are refused all the same: Python runs
/// them when it opens such a file, so its owner should know.
/// </remarks>
/// <param name="source">What errors call the file.</param>
/// <param name="fileLength">Length of the file, bytes: no storage is longer.</param>
internal sealed class PytorchPickleHost(string source, long fileLength) : IPickleHost
{
    private const string OrderedDictionary = "collections.OrderedDict";
    private const string Subclass = "torch._tensor._rebuild_from_type_v2";

    private static readonly string[] Parameters = ["torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"];

    /// <summary>The second is how PyTorch wrote tensors up to version 0.3, which some published weights still are.</summary>
    private static readonly string[] Tensors = ["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"];

    private static readonly HashSet<string> RunningModules = new(StringComparer.Ordinal)
    {
        "os",
        "posix",
        "nt",
        "subprocess",
        "_posixsubprocess",
        "sys",
        "runpy",
        "importlib",
        "pty",
        "socket",
        "shutil",
        "webbrowser",
        "ctypes",
        "pdb",
        "bdb",
        "timeit",
        "cProfile",
        "pip",
        "pickle",
        "_pickle",
        "marshal",
    };

    private static readonly HashSet<string> RunningFunctions = new(StringComparer.Ordinal)
    {
        "eval",
        "exec",
        "execfile",
        "compile",
        "open",
        "__import__",
        "apply",
        "input",
        "breakpoint",
    };

    private static readonly Dictionary<string, torch.ScalarType> Storages = new()
    {
        ["torch.DoubleStorage"] = torch.ScalarType.Float64,
        ["torch.FloatStorage"] = torch.ScalarType.Float32,
        ["torch.HalfStorage"] = torch.ScalarType.Float16,
        ["torch.BFloat16Storage"] = torch.ScalarType.BFloat16,
        ["torch.LongStorage"] = torch.ScalarType.Int64,
        ["torch.IntStorage"] = torch.ScalarType.Int32,
        ["torch.ShortStorage"] = torch.ScalarType.Int16,
        ["torch.CharStorage"] = torch.ScalarType.Int8,
        ["torch.ByteStorage"] = torch.ScalarType.Byte,
        ["torch.BoolStorage"] = torch.ScalarType.Bool,
    };

    private readonly Dictionary<string, PytorchStorage> _storages = [];
    private long _copied;
    private long _stored;

    /// <summary>The storages that were named, by key.</summary>
    public IReadOnlyDictionary<string, PytorchStorage> Named => _storages;

    public bool Allows(PickleGlobal global)
    {
        var module = global.Name[..Math.Max(global.Name.LastIndexOf('.'), 0)];
        return !RunningModules.Contains(module.Split('.', 2)[0])
            && !(module is "builtins" or "__builtin__" && RunningFunctions.Contains(global.Name[(module.Length + 1)..]));
    }

    public object? Call(PickleGlobal global, object?[] arguments)
    {
        switch (global.Name)
        {
            case OrderedDictionary:
                return ToDictionary(arguments);
            case var name when Parameters.Contains(name) && arguments is [PytorchTensor tensor, ..]:
                return tensor;
            case Subclass when arguments is [PickleGlobal { Name: not Subclass } inner, _, PickleTuple inside, ..]:
                return Call(inner, inside.Items);
            case var name when Tensors.Contains(name):
                return arguments switch
                {
                    [PytorchStorage storage, long offset, PickleTuple shape, PickleTuple strides, ..] => ToTensor(
                        storage,
                        offset,
                        shape.Items,
                        strides.Items
                    ),
                    [PickleObject unknown, ..] => new PickleObject($"tensor of {unknown.Name}"),
                    _ => throw Error($"calls '{name}' with arguments that it does not take"),
                };
            default:
                return new PickleObject(global.Name);
        }
    }

    public object? Resolve(object? persistentId)
    {
        // ('module', class, file, text): the class of a network that was saved whole, with its Python source beside it.
        if (persistentId is PickleTuple { Items: ["module", PickleGlobal saved, ..] })
        {
            return saved;
        }

        // ('storage', type, key, device, count), and in the legacy format a description of the view, if it is one.
        if (
            persistentId is not PickleTuple { Items: ["storage", PickleGlobal kind, string key, string, long count, .. var rest] }
            || count < 0
            || rest is not ([] or [null])
        )
        {
            throw Error("refers to a storage in a way that is not understood");
        }

        if (!Storages.TryGetValue(kind.Name, out var type))
        {
            // Quantised and complex numbers, for example: no network here is made of them.
            return new PickleObject(kind.Name);
        }

        var storage = new PytorchStorage(type, key, count);
        if (count > Math.Min(fileLength, Array.MaxLength) / TensorTypes.ElementSize(type))
        {
            throw Error(
                $"has a storage '{key}' of {count} elements of {type}: longer than the file, or than the {Array.MaxLength} bytes "
                    + "that can be read"
            );
        }

        if (!_storages.TryAdd(key, storage))
        {
            return _storages[key] == storage ? storage : throw Error($"describes the storage '{key}' in two ways");
        }

        // Entries of an archive may lie over each other: each no longer than the file, and all together without bound.
        _stored += storage.Length;
        return _stored <= fileLength ? storage : throw Error("describes storages that are longer together than the file");
    }

    private PickleDictionary ToDictionary(object?[] arguments)
    {
        var dictionary = new PickleDictionary();
        if (arguments is [])
        {
            return dictionary;
        }

        if (arguments is not [List<object?> pairs])
        {
            throw Error($"calls '{OrderedDictionary}' with arguments that it does not take");
        }

        // A list can be named again and again; without a bound, a small file could take hours.
        _copied += pairs.Count;
        if (_copied > fileLength)
        {
            throw Error("copies its dictionaries more often than a state dict does");
        }

        foreach (var pair in pairs)
        {
            var (key, value) = pair switch
            {
                PickleTuple { Items: [string first, var second] } => (first, second),
                List<object?> and [string first, var second] => (first, second),
                _ => throw Error($"calls '{OrderedDictionary}' with something else than pairs of a name and a value"),
            };
            dictionary[key] = value;
        }

        return dictionary;
    }

    private PytorchTensor ToTensor(PytorchStorage storage, long offset, object?[] shape, object?[] strides)
    {
        long[] extents = [.. shape.OfType<long>()];
        long[] steps = [.. strides.OfType<long>()];
        if (
            extents.Length != shape.Length
            || steps.Length != strides.Length
            || extents.Length != steps.Length
            || extents.Length > TensorTypes.HighestRank
        )
        {
            throw Error(
                $"has a tensor in storage '{storage.Key}' whose shape and strides are not at most {TensorTypes.HighestRank} integers each"
            );
        }

        var length = TensorTypes.ByteLength(storage.Type, extents);
        Int128 last = offset;
        for (var i = 0; i < extents.Length; i++)
        {
            last = steps[i] < 0 ? Int128.MaxValue : last + ((Int128)Math.Max(extents[i] - 1, 0) * steps[i]);
            if (last > long.MaxValue)
            {
                break;
            }
        }

        if (offset < 0 || length < 0 || length > storage.Length || (length > 0 && last >= storage.Count))
        {
            throw Error(
                $"has a tensor of shape [{string.Join(", ", extents)}] and strides [{string.Join(", ", steps)}] at element "
                    + $"{offset} of storage '{storage.Key}', which has {storage.Count}"
            );
        }

        return new PytorchTensor(storage, offset, extents, steps);
    }

    private WeightsException Error(string what) => new($"The pickle of {source} {what}.");
}
