using System.Runtime.CompilerServices;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Engines;

/// <summary>Weights of one convolution in the order in which a kernel reads them: by panel of output channels, then by step.</summary>
internal sealed unsafe class PackedConvolution : IDisposable
{
    private readonly NativeBuffer _weights;
    private readonly NativeBuffer? _bias;
    private readonly int _panelBytes;
    private readonly int _panelChannels;

    /// <summary>Packs weights.</summary>
    /// <param name="weights">[outputs, inputs, height, width], row-major.</param>
    /// <param name="outputs">Output channels, a multiple of a panel's.</param>
    /// <param name="inputs">Input channels.</param>
    /// <param name="window">Height and width.</param>
    /// <param name="panelChannels">Output channels of a panel.</param>
    /// <param name="bf16">Round to bfloat16.</param>
    /// <param name="bias">Of every output channel, if there is one.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public PackedConvolution(float[] weights, int outputs, int inputs, int window, int panelChannels, bool bf16, float[]? bias)
    {
        _panelChannels = panelChannels;
        var perStep = bf16 ? 2 : 1;
        var row = window * inputs;
        StepsOfSegment = (row + perStep - 1) / perStep;
        Panels = outputs / _panelChannels;
        _panelBytes = window * StepsOfSegment * _panelChannels * sizeof(float);
        _weights = new NativeBuffer((long)Panels * _panelBytes);
        for (var output = 0; output < outputs; output++)
        {
            var panel = _weights.Pointer + ((long)(output / _panelChannels) * _panelBytes);
            for (var y = 0; y < window; y++)
            {
                for (var i = 0; i < row; i++)
                {
                    // Columns, then channels, as they lie in memory.
                    var (x, input) = (i / inputs, i % inputs);
                    var value = weights[(((((output * inputs) + input) * window) + y) * window) + x];
                    var at = ((((y * StepsOfSegment) + (i / perStep)) * _panelChannels) + (output % _panelChannels)) * perStep;
                    if (bf16)
                    {
                        ((ushort*)panel)[at + (i % perStep)] = Elementwise.ToBfloat16(value);
                    }
                    else
                    {
                        ((float*)panel)[at] = value;
                    }
                }
            }
        }

        if (bias is not null)
        {
            _bias = new NativeBuffer(bias.Length * sizeof(float));
            bias.CopyTo(new Span<float>(_bias.Floats, bias.Length));
        }
    }

    /// <summary>Packs the weights of a layer of a folded graph.</summary>
    public static PackedConvolution Create(BackboneWeights weights, Layer layer, int panelChannels, bool bf16)
    {
        var (values, bias) = weights.WeightsAndBias(layer);
        var window = ((Convolution)layer.Operation).Window;
        return new PackedConvolution(values, layer.Channels, layer.Inputs[0].Channels, window, panelChannels, bf16, bias);
    }

    /// <summary>Packs the weights of a 3×3 convolution for <see cref="WinogradTransform"/>: as a 1×1 convolution with the outputs of all positions, one behind the other.</summary>
    public static PackedConvolution CreateTransformed(BackboneWeights weights, Layer layer, int panelChannels, bool bf16)
    {
        var (values, bias) = weights.WeightsAndBias(layer);
        return new PackedConvolution(
            WinogradTransform.Weights(values),
            WinogradTransform.Positions * layer.Channels,
            layer.Inputs[0].Channels,
            1,
            panelChannels,
            bf16,
            bias
        );
    }

    public int Panels { get; }

    /// <summary>Of one row of the window.</summary>
    public int StepsOfSegment { get; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Panel(int panel) => _weights.Pointer + ((long)panel * _panelBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Bias(int panel) => _bias is null ? null : _bias.Floats + (panel * _panelChannels);

    public void Dispose()
    {
        _weights.Dispose();
        _bias?.Dispose();
    }
}
