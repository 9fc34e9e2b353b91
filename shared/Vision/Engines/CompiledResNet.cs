using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Engines;

/// <summary>
/// A network of residual blocks for extraction alone, on processors with AVX-512 or AVX2. It computes what <see cref="NetworkModule"/> computes, from a folded
/// graph: normalisations are part of the weights, rectifiers of the convolutions, and a block's last convolution begins its sums with the block's input, where it
/// writes them. See docs/performance.md.
/// </summary>
internal sealed unsafe partial class CompiledResNet : ICompiledNetwork
{
    /// <summary>Output channels that a kernel computes, in vectors.</summary>
    public const int PanelVectors = 2;

    /// <summary>Channels that a kernel reads in one iteration, in the precision with the smaller numbers.</summary>
    public const int ChannelsOfIteration = 2 * Unroll;

    /// <summary>Steps that a kernel makes in one iteration.</summary>
    private const int Unroll = 8;

    /// <summary>Images that a thread takes at a time: the weights of the deep layers are read once for all of them.</summary>
    private const int GroupImages = 8;

    /// <summary>What the images of a block may take of the second-level cache, bytes.</summary>
    private const int BlockBytes = 512 * 1024;

    private readonly ImageStem _stem;
    private readonly PackedBlock[] _blocks;
    private Plan? _plan;

    public CompiledResNet(ResidualPlan plan, BackboneWeights weights, bool bf16, InstructionSet instructions)
    {
        (Bf16, Instructions, Features) = (bf16, instructions, plan.Channels);
        _stem = new ImageStem(weights, plan.Stem, bf16, instructions, PanelVectors);
        _blocks =
        [
            .. plan.Blocks.Select(block => new PackedBlock(
                block,
                [
                    .. block.Convolutions.Select(layer => new PackedLayer(
                        new Lazy<PackedConvolution>(() => PackedConvolution.Create(weights, layer, PanelChannels, bf16)),
                        new Lazy<PackedConvolution>(() => PackedConvolution.CreateTransformed(weights, layer, PanelChannels, bf16))
                    )),
                ],
                block.Shortcut is { } shortcut ? PackedConvolution.Create(weights, shortcut, PanelChannels, bf16) : null
            )),
        ];
    }

    private bool Bf16 { get; }

    private InstructionSet Instructions { get; }

    private int Features { get; }

    private int PanelChannels => PanelVectors * Instructions.VectorLength;

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
                    features + ((long)first * Features)
                );
                plan.Return(workspace);
            }
        );
    }

    public void Dispose()
    {
        _plan?.Dispose();
        _stem.Dispose();
        foreach (var block in _blocks)
        {
            block.Shortcut?.Dispose();
            Array.ForEach(block.Convolutions, convolution => convolution.Dispose());
        }
    }

    private sealed record PackedBlock(ResidualBlock Layers, PackedLayer[] Convolutions, PackedConvolution? Shortcut);

    /// <summary>Weights are packed as the size of the maps wants them.</summary>
    private sealed record PackedLayer(Lazy<PackedConvolution> Direct, Lazy<PackedConvolution> Winograd) : IDisposable
    {
        public PackedConvolution For(ConvolutionPlan plan) => (plan.Winograd is null ? Direct : Winograd).Value;

        public void Dispose()
        {
            foreach (var packed in new[] { Direct, Winograd }.Where(packed => packed.IsValueCreated))
            {
                packed.Value.Dispose();
            }
        }
    }
}
