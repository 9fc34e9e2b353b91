using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Engines;

/// <summary>
/// A network of dense blocks for extraction alone, on processors with AVX-512 or AVX2. It computes what <see cref="NetworkModule"/>
/// computes, with less work and far less traffic: from a folded graph, whose scalings are applied to a tile of pixels at a time, which
/// stays in the first-level cache; blocks write into slices of one buffer. See docs/performance.md.
/// </summary>
/// <remarks>Every image is computed by itself: neither its neighbours nor the number of threads change a bit of its features.</remarks>
internal sealed unsafe partial class CompiledDenseNet : ICompiledNetwork
{
    /// <summary>Images that a thread takes at a time: the weights of the deep layers are read once for all of them.</summary>
    private const int GroupImages = 8;

    /// <summary>What the images of a block may take of the second-level cache, bytes.</summary>
    private const int BlockBytes = 512 * 1024;

    private readonly ImageStem _stem;
    private readonly PackedLayer[][] _blocks;
    private readonly PackedTransition[] _transitions;
    private readonly Factors _last;
    private Plan? _plan;

    public CompiledDenseNet(KernelPlan plan, BackboneWeights weights, bool bf16, InstructionSet instructions)
    {
        Layers = plan;
        Bf16 = bf16;
        Instructions = instructions;
        _stem = new ImageStem(weights, plan.Stem, bf16, instructions, Vectors);
        _transitions =
        [
            .. plan.Transitions.Select(transition => new PackedTransition(
                new Factors(weights, transition.Norm),
                Pack(weights, transition.Convolution)
            )),
        ];
        _blocks =
        [
            .. plan.Blocks.Select(block =>
                block
                    .Select(layer => new PackedLayer(
                        layer.Norm.Channels,
                        new Factors(weights, layer.Norm),
                        Pack(weights, layer.Narrow),
                        new Lazy<PackedConvolution>(() => Pack(weights, layer.Window)),
                        new Lazy<PackedConvolution>(() => PackedConvolution.CreateTransformed(weights, layer.Window, PanelChannels, bf16))
                    ))
                    .ToArray()
            ),
        ];
        _last = new Factors(weights, plan.Last);
    }

    private KernelPlan Layers { get; }

    public bool Bf16 { get; }

    private InstructionSet Instructions { get; }

    /// <summary>Of a panel.</summary>
    private int Vectors => Instructions.PanelVectors(Layers.GrowthRate);

    private int PanelChannels => Vectors * Instructions.VectorLength;

    private int ElementBytes => Bf16 ? sizeof(ushort) : sizeof(float);

    /// <inheritdoc />
    public void Run(byte* images, int count, int height, int width, float* features, int threads)
    {
        if (_plan?.Height != height || _plan.Width != width)
        {
            _plan?.Dispose();
            _plan = new Plan(this, height, width);
        }

        var plan = _plan;
        var imageBytes = (long)height * width * 3;
        // Small batches are shared out too.
        var group = Math.Clamp((count + threads - 1) / threads, 1, GroupImages);
        Parallel.For(
            0,
            (count + group - 1) / group,
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            index =>
            {
                var workspace = plan.Rent();
                var first = index * group;
                new Worker(this, plan, workspace, images + (first * imageBytes)).Run(
                    Math.Min(group, count - first),
                    features + ((long)first * Layers.Last.Channels)
                );
                plan.Return(workspace);
            }
        );
    }

    public void Dispose()
    {
        _plan?.Dispose();
        _stem.Dispose();
        foreach (var layer in _blocks.SelectMany(block => block))
        {
            layer.Norm.Dispose();
            layer.Narrow.Dispose();
            foreach (var window in new[] { layer.Direct, layer.Winograd }.Where(window => window.IsValueCreated))
            {
                window.Value.Dispose();
            }
        }

        foreach (var transition in _transitions)
        {
            transition.Norm.Dispose();
            transition.Convolution.Dispose();
        }

        _last.Dispose();
    }

    private PackedConvolution Pack(BackboneWeights weights, Layer layer) => PackedConvolution.Create(weights, layer, PanelChannels, Bf16);

    /// <summary>The 3×3 convolution's weights are packed as the size of the maps wants them.</summary>
    private sealed record PackedLayer(
        int Inputs,
        Factors Norm,
        PackedConvolution Narrow,
        Lazy<PackedConvolution> Direct,
        Lazy<PackedConvolution> Winograd
    );

    private sealed record PackedTransition(Factors Norm, PackedConvolution Convolution);

    /// <summary>A normalisation with fixed statistics: scale and shift.</summary>
    private sealed class Factors : IDisposable
    {
        private readonly NativeBuffer _factors;

        public Factors(BackboneWeights weights, Layer layer)
        {
            var (channels, (scale, shift)) = (layer.Channels, weights.ScaleAndShift(layer.Name));
            _factors = new NativeBuffer(2L * channels * sizeof(float));
            Scale = _factors.Floats;
            Shift = Scale + channels;
            for (var i = 0; i < channels; i++)
            {
                Scale[i] = (float)scale[i];
                Shift[i] = (float)shift[i];
            }
        }

        public float* Scale { get; }

        public float* Shift { get; }

        public void Dispose() => _factors.Dispose();
    }
}
