namespace Distributed.Vision.Weights;

/// <summary>Finds all mappings of names to tensors in what a checkpoint's pickle holds, wherever trainers nest them.</summary>
/// <remarks>Time and memory grow with the number of values, however often they name each other.</remarks>
internal sealed class StateDictSearch
{
    /// <summary>Trainers nest state dicts two or three deep, and networks their layers six.</summary>
    private const int Deepest = 16;

    /// <summary>Characters of a name; a layer's has some fifty.</summary>
    private const int LongestName = 300;

    /// <summary>Under these, a network that was saved whole keeps what else would be its attributes.</summary>
    private static readonly string[] Transparent = ["_parameters", "_buffers", "_modules"];

    private readonly List<StateDict> _found = [];
    private readonly Queue<(object Value, StatePath? Path, int Depth)> _queue = new();
    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);

    private StateDictSearch() { }

    /// <summary>Searches breadth first, so that what is nested less comes first.</summary>
    public static IReadOnlyList<StateDict> Find(object? root)
    {
        var search = new StateDictSearch();
        search.Add(root, null, 0);
        while (search._queue.TryDequeue(out var next))
        {
            search.Visit(next.Value, next.Path, next.Depth);
        }

        return search._found;
    }

    private void Add(object? value, StatePath? path, int depth)
    {
        if (depth <= Deepest && value is PickleDictionary or PickleObject or PickleTuple or List<object?> && _seen.Add(value))
        {
            _queue.Enqueue((value, path, depth));
        }
    }

    private void Visit(object value, StatePath? path, int depth)
    {
        switch (value)
        {
            case PickleDictionary dictionary:
                Visit(dictionary, path, depth);
                break;
            case PickleObject item:
                if (item.Items is { } items)
                {
                    Visit(items, path, depth);
                }

                var tensors = new Dictionary<string, IStoredTensor>(StringComparer.Ordinal);
                Flatten(item, "", path, depth, tensors);
                Keep(tensors, path);
                break;
            case PickleTuple tuple:
                Visit(tuple.Items, path, depth);
                break;
            case List<object?> list:
                Visit(list, path, depth);
                break;
        }
    }

    private void Visit(PickleDictionary dictionary, StatePath? path, int depth)
    {
        var tensors = new Dictionary<string, IStoredTensor>(StringComparer.Ordinal);
        foreach (var (name, value) in dictionary)
        {
            if (value is IStoredTensor tensor)
            {
                tensors.Add(name, tensor);
            }
            else
            {
                Add(value, new StatePath(path, $"['{Short(name)}']"), depth + 1);
            }
        }

        Keep(tensors, path);
    }

    private void Visit(IReadOnlyList<object?> list, StatePath? path, int depth)
    {
        for (var i = 0; i < list.Count; i++)
        {
            Add(list[i], new StatePath(path, $"[{i}]"), depth + 1);
        }
    }

    /// <summary>The tensors of a network that was saved whole, under the names that its state dict would give them.</summary>
    private void Flatten(PickleObject item, string prefix, StatePath? path, int depth, Dictionary<string, IStoredTensor> tensors)
    {
        var attributes = item.State as PickleDictionary ?? (item.State as PickleTuple)?.Items.OfType<PickleDictionary>().FirstOrDefault();
        foreach (var (name, value) in attributes ?? [])
        {
            if (Transparent.Contains(name) && value is PickleDictionary inside)
            {
                foreach (var (part, held) in inside)
                {
                    Hold(part, held);
                }
            }
            else
            {
                Hold(name, value);
            }
        }

        void Hold(string name, object? value)
        {
            var whole = prefix.Length + name.Length <= LongestName ? prefix + name : null;
            if (whole is not null && value is IStoredTensor tensor)
            {
                tensors.TryAdd(whole, tensor);
            }
            else if (whole is not null && value is PickleObject { Items: null } child && depth < Deepest)
            {
                if (_seen.Add(child))
                {
                    Flatten(child, whole + ".", new StatePath(path, $".{Short(name)}"), depth + 1, tensors);
                }
            }
            else
            {
                Add(value, new StatePath(path, $".{Short(name)}"), depth + 1);
            }
        }
    }

    private static string Short(string name) => name.Length > LongestName ? name[..LongestName] : name;

    private void Keep(Dictionary<string, IStoredTensor> tensors, StatePath? path)
    {
        if (tensors.Count > 0)
        {
            _found.Add(new StateDict(tensors, path));
        }
    }
}
