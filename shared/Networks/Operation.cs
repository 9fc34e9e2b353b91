namespace Distributed.Networks;

/// <summary>What a layer computes. Maps are [n, channels, height, width].</summary>
public abstract record Operation;

/// <summary>The network's input: normalised images, [n, 3, height, width].</summary>
public sealed record Images : Operation;

/// <summary>A square convolution without a bias of its own; half a window of zeros around the map, so that a stride of 1 keeps its size.</summary>
/// <param name="Outputs">Channels.</param>
/// <param name="Window">Height and width, odd.</param>
/// <param name="Stride">From one output to the next, pixels.</param>
/// <remarks>Weights: <c>weight</c> [outputs, inputs, window, window].</remarks>
public sealed record Convolution(int Outputs, int Window, int Stride = 1) : Operation
{
    /// <summary>Rows and columns of zeros on every side.</summary>
    public int Padding => Window / 2;

    /// <summary>The normalisation that is folded into the weights and makes a bias of its shift; in graphs that are <see cref="NetworkGraph.Folded"/>.</summary>
    public string? Norm { get; init; }
}

/// <summary>Batch normalisation (Ioffe and Szegedy, 2015); outside of training with the statistics that were learned.</summary>
/// <remarks>Weights: <c>weight</c>, <c>bias</c>, <c>running_mean</c>, <c>running_var</c>, [channels] each.</remarks>
public sealed record Normalization : Operation
{
    /// <summary>What is added to variances.</summary>
    public const double Epsilon = 1e-5;
}

/// <summary>A normalisation whose statistics are fixed: value × scale + shift, by channel; in graphs that are <see cref="NetworkGraph.Folded"/>.</summary>
public sealed record Scaling : Operation;

/// <summary>max(0, value).</summary>
public sealed record Rectifier : Operation;

/// <summary>The largest of a square window; half a window around the map takes no part.</summary>
/// <param name="Window">Height and width, odd.</param>
/// <param name="Stride">From one output to the next, pixels.</param>
public sealed record MaxPooling(int Window, int Stride) : Operation
{
    /// <summary>Rows and columns on every side that take no part.</summary>
    public int Padding => Window / 2;
}

/// <summary>The mean of square windows that lie side by side; a rest at the right or below is left out.</summary>
/// <param name="Window">Height and width.</param>
public sealed record AveragePooling(int Window) : Operation;

/// <summary>The mean of a whole map: [n, channels].</summary>
public sealed record GlobalAverage : Operation;

/// <summary>The channels of all inputs, one input's behind the other's.</summary>
public sealed record Concatenation : Operation;

/// <summary>The sum of inputs of one shape, as residual networks have it.</summary>
public sealed record Addition : Operation;

/// <summary>A matrix product and a bias: [n, inputs] to [n, outputs].</summary>
/// <param name="Outputs">Channels.</param>
/// <remarks>Weights: <c>weight</c> [outputs, inputs], <c>bias</c> [outputs].</remarks>
public sealed record Dense(int Outputs) : Operation;
