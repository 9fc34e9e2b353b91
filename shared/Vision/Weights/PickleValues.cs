namespace Distributed.Vision.Weights;

/// <summary>What a pickle may refer to.</summary>
internal interface IPickleHost
{
    /// <summary>Whether a pickle that imports the name is read on.</summary>
    bool Allows(PickleGlobal global);

    /// <summary>What stands for the result of a call; nothing is called.</summary>
    object? Call(PickleGlobal global, object?[] arguments);

    /// <summary>What an id stands for that the pickle does not hold itself.</summary>
    object? Resolve(object? persistentId);
}

/// <summary>A name that a pickle imports.</summary>
internal sealed record PickleGlobal(string Name);

/// <summary>A tuple. Equal only to itself, since tuples may be nested as deep as a file likes.</summary>
internal sealed class PickleTuple(object?[] items)
{
    public object?[] Items => items;
}

/// <summary>The named items of a dict or OrderedDict.</summary>
internal sealed class PickleDictionary() : Dictionary<string, object?>(StringComparer.Ordinal);

/// <summary>
/// An object of a class that nothing here knows: its name, its attributes, and its items where it is a kind of dict. It is
/// never made; what Python would call to make it is left uncalled.
/// </summary>
internal sealed class PickleObject(string name)
{
    public string Name => name;

    /// <summary>What it would be given to restore itself from: most often a dict of its attributes.</summary>
    public object? State { get; set; }

    /// <summary>Its named items; null where it has none.</summary>
    public PickleDictionary? Items { get; private set; }

    public PickleDictionary MakeItems() => Items ??= [];
}

/// <summary>A value that no state dict needs, such as bytes or a set: what it is, and not what is in it.</summary>
internal sealed record PickleOpaque(string Name)
{
    public static PickleOpaque Bytes { get; } = new("bytes");

    public static PickleOpaque Set { get; } = new("set");
}
