namespace Distributed.Networks;

/// <summary>One network of a family: its graph, and what is to be known of its input.</summary>
/// <param name="name">Name as in torchvision, such as <c>densenet121</c>.</param>
/// <param name="title">Name for people, such as <c>DenseNet-121</c>.</param>
/// <param name="preprocessing">How its weights expect images, where their file says nothing.</param>
/// <param name="smallestInput">Smallest height and width that survive its halvings, pixels.</param>
/// <param name="build">Makes its layers, and gives the last one.</param>
/// <param name="sizeMultiple">Heights and widths of images are multiples of this, pixels.</param>
/// <param name="inner">Names of the layers that its blocks but the last one end with, the first block's first; their means are features too, where <see cref="WithBlocks"/> asks for them.</param>
public sealed class NetworkArchitecture(
    string name,
    string title,
    Preprocessing preprocessing,
    int smallestInput,
    Func<Layer> build,
    int sizeMultiple = 1,
    IReadOnlyList<string>? inner = null
)
{
    private readonly Lazy<NetworkGraph> _graph = new(() => new NetworkGraph(build()));

    /// <summary>The known ones.</summary>
    public static IReadOnlyList<NetworkArchitecture> All => [.. NetworkFamily.All.SelectMany(family => family.Architectures)];

    /// <summary>Name as in torchvision, such as <c>densenet121</c>.</summary>
    public string Name => name;

    /// <summary>Name for people, such as <c>DenseNet-121</c>.</summary>
    public string Title => title;

    /// <summary>How its weights expect images, where their file says nothing.</summary>
    public Preprocessing Preprocessing => preprocessing;

    /// <summary>Smallest height and width that survive its halvings, pixels.</summary>
    public int SmallestInput => smallestInput;

    /// <summary>Heights and widths of images are multiples of this, pixels.</summary>
    public int SizeMultiple => sizeMultiple;

    /// <summary>Its layers, as the paper has them.</summary>
    public NetworkGraph Graph => _graph.Value;

    /// <summary>Feature dimension: the numbers that an image is turned into.</summary>
    public int FeatureSize => Graph.Output.Channels;

    /// <summary>Blocks whose maps can be features.</summary>
    public int Blocks => 1 + (inner?.Count ?? 0);

    /// <summary>The same network with the means of its last blocks' maps as features, the first block's first.</summary>
    /// <param name="count">Blocks, from 1 to <see cref="Blocks"/>.</param>
    public NetworkArchitecture WithBlocks(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Blocks);
        return count == 1 ? this : new NetworkArchitecture(name, title, preprocessing, smallestInput, Join, sizeMultiple);

        Layer Join()
        {
            var last = build();
            var layers = new NetworkGraph(last).Layers.ToDictionary(layer => layer.Name);
            return new Layer(
                "blocks",
                new Concatenation(),
                [.. inner!.TakeLast(count - 1).Select(end => layers[end].Then(end + ".mean", new GlobalAverage())), last]
            );
        }
    }

    /// <summary>Finds an architecture by its name.</summary>
    /// <exception cref="ArgumentException">The name is unknown; the message lists those known.</exception>
    public static NetworkArchitecture ByName(string name) =>
        All.FirstOrDefault(known => string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException(
            $"There is no architecture '{name}'; known are {string.Join(", ", All.Select(known => known.Name))}.",
            nameof(name)
        );
}
