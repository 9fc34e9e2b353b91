using Distributed.Networks;

namespace Distributed.Vision.Weights;

/// <summary>
/// Finds the tensors of a known network among those of a file by their names, whatever they stand under and begin with: trainers
/// put <c>module.</c>, <c>model.</c>, <c>backbone.features.</c> and more before them, and other tensors beside them.
/// </summary>
internal sealed class BackboneNames
{
    /// <summary>Parts of a network's names, counted in the older spelling.</summary>
    private const int MostParts = 5;
    private const int LongestName = 500;
    private const int MostNamesInAnError = 5;

    private readonly NamedNetwork[] _networks;

    /// <summary>Prepares a search.</summary>
    /// <param name="networks">Those to look for.</param>
    public BackboneNames(params NamedNetwork[] networks) => _networks = networks;

    /// <summary>The networks that there are backbones of.</summary>
    public static BackboneNames Known { get; } =
        new([
            .. NetworkFamily.All.SelectMany(family =>
                family.Architectures.Select(network => new NamedNetwork(network.Name, network.Graph.TensorShapes, family.CanonicalName))
            ),
        ]);

    /// <summary>Finds the one group of tensors that are a network's.</summary>
    /// <returns>The tensors by canonical name: those of a whole network, or where there is none, the group that comes nearest to one.</returns>
    /// <exception cref="WeightsException">No name is that of a network's tensor, two mean the same one, or the file holds several networks that differ.</exception>
    public Dictionary<string, IStoredTensor> Find(WeightFile file)
    {
        var families = _networks.GroupBy(network => network.CanonicalName).ToList();
        var groups = file.StateDicts.SelectMany(dict => families.SelectMany(family => GroupsOf(dict, [.. family]))).ToList();
        var whole = groups.Where(group => group.Network is not null).ToList();
        var chosen = whole.FirstOrDefault() ?? groups.MaxBy(group => group.Votes);

        // A few names that end as a network's do are chance: what is missing from it would be nearly all.
        if (chosen is null || chosen.Votes < _networks.Min(network => network.Shapes.Count) / 2)
        {
            var names = file.StateDicts.SelectMany(dict => dict.Tensors.Keys).ToList();
            var more = names.Count > MostNamesInAnError ? $" and {names.Count - MostNamesInAnError} more" : "";
            throw new WeightsException(
                $"{file.Source} holds none of the networks that are known "
                    + $"({string.Join(", ", _networks.Select(known => known.Name))}): hardly any tensor is named as theirs are, such as "
                    + $"'{_networks[0].Shapes.Keys.Last()}'. There are "
                    + $"{string.Join(", ", names.Take(MostNamesInAnError).Select(name => $"'{Short(name)}'"))}{more}."
            );
        }

        if (whole.Skip(1).FirstOrDefault(other => !AreEqual(file, chosen, other)) is { } different)
        {
            throw new WeightsException(
                $"{file.Source} holds weights of a network twice, and they differ: {chosen} and {different}. Save those that are "
                    + $"meant in a file of their own: {Remedy(different, chosen.Dict == different.Dict)}."
            );
        }

        return chosen.Tensors(file.Source);
    }

    /// <summary>What stands before the names of a network's tensors in one mapping; most often one prefix.</summary>
    private static IEnumerable<Group> GroupsOf(StateDict dict, NamedNetwork[] family)
    {
        var canonicalName = family[0].CanonicalName;
        var names = family.SelectMany(network => network.Shapes.Keys).ToHashSet();
        var votes = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in dict.Tensors.Keys.Where(name => name.Length <= LongestName))
        {
            var start = name.Length;
            for (var parts = 0; parts < MostParts && start > 0; parts++)
            {
                start = name.LastIndexOf('.', start - 1) is var dot and > 0 ? dot : 0;
                var begin = start == 0 ? 0 : start + 1;
                if (canonicalName(name[begin..]) is { } canonical && names.Contains(canonical))
                {
                    votes[name[..begin]] = votes.GetValueOrDefault(name[..begin]) + 1;
                }
            }
        }

        return votes.Select(vote => new Group(dict, vote.Key, vote.Value, NetworkOf(dict, vote.Key, vote.Value, family), canonicalName));
    }

    /// <summary>The network that all tensors of are there; null where there is none.</summary>
    private static string? NetworkOf(StateDict dict, string prefix, int votes, NamedNetwork[] family)
    {
        if (family.All(network => votes < network.Shapes.Count))
        {
            return null;
        }

        var found = dict
            .Tensors.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal))
            .Select(pair => (Name: family[0].CanonicalName(pair.Key[prefix.Length..]), pair.Value.Shape))
            .Where(pair => pair.Name is not null)
            .DistinctBy(pair => pair.Name)
            .ToDictionary(pair => pair.Name!, pair => pair.Shape, StringComparer.Ordinal);
        return family
            .FirstOrDefault(network =>
                network.Shapes.All(wanted => found.TryGetValue(wanted.Key, out var shape) && shape.AsSpan().SequenceEqual(wanted.Value))
            )
            ?.Name;
    }

    private static bool AreEqual(WeightFile file, Group one, Group other)
    {
        var (left, right) = (one.Tensors(file.Source), other.Tensors(file.Source));
        return one.Network == other.Network
            && left.Count == right.Count
            && left.All(pair =>
                right.TryGetValue(pair.Key, out var twin)
                && (
                    twin == pair.Value
                    || (twin.Type == pair.Value.Type && file.Read(pair.Value).Bytes.Span.SequenceEqual(file.Read(twin).Bytes.Span))
                )
            );
    }

    private static string Remedy(Group group, bool sharesMapping) =>
        sharesMapping
            ? $"torch.save({{name: tensor for name, tensor in torch.load('FILE'){group.Dict.Path}.items() if "
                + $"name.startswith('{Short(group.Prefix)}')}}, 'NEW')"
            : $"torch.save(torch.load('FILE'){group.Dict.Path}, 'NEW')";

    private static string Short(string name) => name.Length > 100 ? name[..100] + "…" : name;

    /// <summary>Tensors of one mapping whose names begin alike.</summary>
    /// <param name="Dict">The mapping.</param>
    /// <param name="Prefix">What stands before the network's own names.</param>
    /// <param name="Votes">Tensors whose names are those of a network's behind it.</param>
    /// <param name="Network">The network that they are all tensors of; null where some are missing.</param>
    /// <param name="CanonicalName">Of <see cref="NetworkFamily"/>.</param>
    private sealed record Group(StateDict Dict, string Prefix, int Votes, string? Network, Func<string, string?> CanonicalName)
    {
        public Dictionary<string, IStoredTensor> Tensors(string source)
        {
            var tensors = new Dictionary<string, IStoredTensor>(StringComparer.Ordinal);
            foreach (var (name, tensor) in Dict.Tensors.Where(pair => pair.Key.StartsWith(Prefix, StringComparison.Ordinal)))
            {
                if (CanonicalName(name[Prefix.Length..]) is { } canonical && !tensors.TryAdd(canonical, tensor))
                {
                    throw new WeightsException($"Two tensors of {source} mean '{canonical}'; the second is '{name}'.");
                }
            }

            return tensors;
        }

        public override string ToString() =>
            $"{Network} {(Dict.Path is null ? "at the top" : $"under {Dict.Path}")}{(Prefix.Length == 0 ? "" : $" ('{Short(Prefix)}…')")}";
    }
}

/// <summary>A network to look for.</summary>
/// <param name="Name">Of its architecture.</param>
/// <param name="Shapes">Of its tensors, by canonical name.</param>
/// <param name="CanonicalName">Of <see cref="NetworkFamily"/>.</param>
internal sealed record NamedNetwork(string Name, IReadOnlyDictionary<string, long[]> Shapes, Func<string, string?> CanonicalName);
