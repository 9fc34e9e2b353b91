namespace Distributed.Networks;

/// <summary>One layer of a network: an operation on the outputs of other layers.</summary>
public sealed class Layer
{
    /// <summary>Creates a layer.</summary>
    /// <param name="name">One of its own in the network; its weights stand under it, as in <c>conv0.weight</c>.</param>
    /// <param name="operation">What it computes.</param>
    /// <param name="inputs">What it reads, in the operation's order.</param>
    /// <exception cref="ArgumentException">The inputs of an addition have different numbers of channels.</exception>
    public Layer(string name, Operation operation, params Layer[] inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (operation is Addition && inputs.Any(input => input.Channels != inputs[0].Channels))
        {
            throw new ArgumentException($"The layer '{name}' adds maps of different numbers of channels.", nameof(inputs));
        }

        (Name, Operation, Inputs) = (name, operation, inputs);
        Channels = operation switch
        {
            Images => 3,
            Convolution convolution => convolution.Outputs,
            Dense dense => dense.Outputs,
            Concatenation => inputs.Sum(input => input.Channels),
            _ => inputs[0].Channels,
        };
    }

    /// <summary>The name under which its weights stand.</summary>
    public string Name { get; }

    /// <summary>What it computes.</summary>
    public Operation Operation { get; }

    /// <summary>What it reads, in the operation's order.</summary>
    public IReadOnlyList<Layer> Inputs { get; }

    /// <summary>Channels of its output.</summary>
    public int Channels { get; }

    /// <summary>The layer that a network begins with.</summary>
    public static Layer Start() => new("images", new Images());

    /// <summary>A layer that reads this one.</summary>
    public Layer Then(string name, Operation operation) => new(name, operation, this);

    /// <summary>A normalisation of this layer and a rectifier, which has no weights, behind it.</summary>
    public Layer ThenNormalizeAndRectify(string name) => Then(name, new Normalization()).Then(name + ".relu", new Rectifier());
}
