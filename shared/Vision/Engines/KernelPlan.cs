using Distributed.Networks;

namespace Distributed.Vision.Engines;

/// <summary>A layer of a dense block: a scaling and a rectifier, a narrow 1×1 convolution, and a 3×3 convolution whose outputs are joined to its input.</summary>
/// <param name="Norm">The scaling.</param>
/// <param name="Narrow">The 1×1 convolution, with a normalisation and a rectifier behind it.</param>
/// <param name="Window">The 3×3 convolution.</param>
internal sealed record DensePlan(Layer Norm, Layer Narrow, Layer Window);

/// <summary>What leads to a dense block: a scaling, a rectifier, the mean of 2×2 pixels, and a 1×1 convolution.</summary>
/// <param name="Norm">The scaling.</param>
/// <param name="Convolution">The convolution.</param>
internal sealed record TransitionPlan(Layer Norm, Layer Convolution);

/// <summary>The layers of a folded graph in the groups that our kernels compute together.</summary>
/// <param name="Stem">The 7×7 convolution of the images, with a normalisation and a rectifier behind it; then maxima of 3×3 pixels.</param>
/// <param name="Blocks">Dense blocks.</param>
/// <param name="Transitions">Between them.</param>
/// <param name="Last">The scaling before the last rectifier and the mean of the map.</param>
internal sealed record KernelPlan(Layer Stem, DensePlan[][] Blocks, TransitionPlan[] Transitions, Layer Last)
{
    /// <summary>Channels that every layer of a block adds.</summary>
    public int GrowthRate => Blocks[0][0].Window.Channels;

    /// <summary>Channels of every narrow convolution.</summary>
    public int Bottleneck => Blocks[0][0].Narrow.Channels;

    /// <summary>Groups a graph's layers, from the last one to the first.</summary>
    /// <returns>Null where kernels do not know some layers, or their numbers of channels.</returns>
    public static KernelPlan? For(NetworkGraph folded, InstructionSet instructions)
    {
        if (
            folded.Output is not { Operation: GlobalAverage, Inputs: [{ Operation: Rectifier, Inputs: [{ Operation: Scaling } last] }] }
            || Block(last.Inputs[0]) is not { } tail
        )
        {
            return null;
        }

        var (blocks, transitions) = (new List<DensePlan[]> { tail.Layers }, new List<TransitionPlan>());
        while (Transition(tail.Entered) is { } transition && Block(transition.Norm.Inputs[0]) is { } block)
        {
            transitions.Insert(0, transition);
            blocks.Insert(0, block.Layers);
            tail = block;
        }

        return
            ImageStem.Is(tail.Entered)
            && new KernelPlan(tail.Entered.Inputs[0].Inputs[0], [.. blocks], [.. transitions], last) is { } plan
            && plan.Fits(instructions)
            ? plan
            : null;
    }

    private static (Layer Entered, DensePlan[] Layers)? Block(Layer map)
    {
        var layers = new List<DensePlan>();
        while (
            map
                is {
                    Operation: Concatenation,
                    Inputs: [var before, { Operation: Convolution { Window: 3, Stride: 1, Norm: null } } window]
                }
            && window.Inputs
                is [{ Operation: Rectifier, Inputs: [{ Operation: Convolution { Window: 1, Stride: 1, Norm: not null } } narrow] }]
            && narrow.Inputs is [{ Operation: Rectifier, Inputs: [{ Operation: Scaling } norm] }]
            && norm.Inputs[0] == before
        )
        {
            layers.Insert(0, new DensePlan(norm, narrow, window));
            map = before;
        }

        return layers.Count == 0 ? null : (map, [.. layers]);
    }

    private static TransitionPlan? Transition(Layer map) =>
        map is { Operation: Convolution { Window: 1, Stride: 1, Norm: null }, Inputs: [{ Operation: AveragePooling(2) } average] }
        && average.Inputs is [{ Operation: Rectifier, Inputs: [{ Operation: Scaling } norm] }]
            ? new TransitionPlan(norm, map)
            : null;

    /// <summary>All layers of blocks are of one size, and all numbers of channels are whole panels and whole iterations.</summary>
    private bool Fits(InstructionSet instructions)
    {
        var layers = Blocks.SelectMany(block => block).ToList();
        if (
            layers.Any(layer => layer.Window.Channels != GrowthRate || layer.Narrow.Channels != Bottleneck)
            || GrowthRate < instructions.VectorLength
        )
        {
            return false;
        }

        var panel = instructions.PanelVectors(GrowthRate) * instructions.VectorLength;
        return layers
            .SelectMany(layer => new[] { layer.Narrow, layer.Window })
            .Concat(Transitions.Select(transition => transition.Convolution))
            .Append(Stem)
            .All(layer => layer.Channels % panel == 0 && layer.Channels % 16 == 0);
    }
}
