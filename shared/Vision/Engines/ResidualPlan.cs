using Distributed.Networks;

namespace Distributed.Vision.Engines;

/// <summary>A residual block: convolutions one behind the other, to whose result the block's input is added before the last rectifier.</summary>
/// <param name="Convolutions">Each with a normalisation; a rectifier is between them.</param>
/// <param name="Shortcut">The 1×1 convolution through which the input goes where it is of another size; null where it is added as it is.</param>
internal sealed record ResidualBlock(Layer[] Convolutions, Layer? Shortcut)
{
    /// <summary>From the block's map to its input's.</summary>
    public int Stride => Convolutions.Aggregate(1, (stride, layer) => stride * ((Convolution)layer.Operation).Stride);

    /// <summary>Channels of its output.</summary>
    public int Channels => Convolutions[^1].Channels;
}

/// <summary>The layers of a folded graph of residual blocks, in the groups that our kernels compute together.</summary>
/// <param name="Stem">The 7×7 convolution of the images.</param>
/// <param name="Blocks">The blocks, of whose last map the mean is taken.</param>
internal sealed record ResidualPlan(Layer Stem, ResidualBlock[] Blocks)
{
    /// <summary>Channels of the features.</summary>
    public int Channels => Blocks[^1].Channels;

    /// <summary>Groups a graph's layers, from the last one to the first.</summary>
    /// <returns>Null where kernels do not know some layers, or their numbers of channels.</returns>
    public static ResidualPlan? For(NetworkGraph folded, InstructionSet instructions)
    {
        if (folded.Output is not { Operation: GlobalAverage, Inputs: [var map] })
        {
            return null;
        }

        var blocks = new List<ResidualBlock>();
        while (BlockBefore(map) is ({ } input, { } block))
        {
            blocks.Insert(0, block);
            map = input;
        }

        return
            blocks.Count > 0
            && blocks[0] is { Stride: 1 }
            && ImageStem.Is(map)
            && new ResidualPlan(map.Inputs[0].Inputs[0], [.. blocks]) is { } plan
            && plan.Fits(instructions)
            ? plan
            : null;
    }

    /// <summary>The block that ends in a map, and what it reads.</summary>
    private static (Layer Input, ResidualBlock Block)? BlockBefore(Layer map) =>
        map is { Operation: Rectifier, Inputs: [{ Operation: Addition, Inputs: [var one, var two] }] }
            ? BlockOf(one, two) ?? BlockOf(two, one)
            : null;

    /// <summary>The block of a branch, to which the block's input is added, as it is or through a 1×1 convolution.</summary>
    private static (Layer Input, ResidualBlock Block)? BlockOf(Layer branch, Layer other)
    {
        var shortcut = other is { Operation: Convolution { Window: 1, Norm: not null } } ? other : null;
        var input = shortcut?.Inputs[0] ?? other;
        var convolutions = new List<Layer>();
        for (var layer = branch; layer is { Operation: Convolution { Window: 1 or 3, Norm: not null }, Inputs: [var before] }; )
        {
            convolutions.Insert(0, layer);
            if (before == input)
            {
                var block = new ResidualBlock([.. convolutions], shortcut);
                var shortcutStride = shortcut?.Operation is Convolution { Stride: var stride } ? stride : 1;
                return block.Stride == shortcutStride ? (input, block) : null;
            }

            if (before is not { Operation: Rectifier, Inputs: [var next] })
            {
                return null;
            }

            layer = next;
        }

        return null;
    }

    /// <summary>All numbers of channels are whole panels and whole iterations.</summary>
    private bool Fits(InstructionSet instructions)
    {
        var multiple = Math.Max(CompiledResNet.PanelVectors * instructions.VectorLength, CompiledResNet.ChannelsOfIteration);
        return Blocks
            .SelectMany(block => block.Shortcut is { } shortcut ? block.Convolutions.Append(shortcut) : block.Convolutions)
            .Append(Stem)
            .All(layer => layer.Channels % multiple == 0);
    }
}
