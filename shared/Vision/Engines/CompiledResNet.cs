using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Engines;

/// <summary>
/// A network of residual blocks for extraction alone, on processors with AVX-512 or AVX2. It computes what <see cref="NetworkModule"/> computes, from a folded
/// graph: normalisations are part of the weights, rectifiers of the convolutions, and a block's last convolution begins its sums with the block's input, where it
/// writes them. See docs/performance.md.
/// </summary>
internal sealed unsafe class CompiledResNet : ICompiledNetwork
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

    /// <summary>A convolution for one size of map.</summary>
    /// <param name="Grid">The map that it writes.</param>
    /// <param name="Stride">From one output's inputs to the next's, pixels.</param>
    /// <param name="Border">Pixels of the input's border that its windows leave out.</param>
    /// <param name="Iterations">Of a row of a window.</param>
    /// <param name="Kernels">By kind of tile; none where it goes by <paramref name="Winograd"/>.</param>
    /// <param name="Winograd">For a 3×3 convolution of stride 1 of a map that is not too small.</param>
    private sealed record ConvolutionPlan(
        TileGrid Grid,
        int Stride,
        int Border,
        int Iterations,
        ConvolutionKernel[] Kernels,
        WinogradLayer? Winograd
    ) : IDisposable
    {
        public void Dispose()
        {
            Winograd?.Dispose();
            Array.ForEach(Kernels, kernel => kernel.Dispose());
        }
    }

    /// <summary>A map with a border of zeros: a pixel, and one more at the end where the size is odd, for tiles of <see cref="WinogradLayer"/>.</summary>
    private sealed record Map(int Height, int Width, PaddedMap Layout);

    /// <summary>A block for one size of map.</summary>
    /// <param name="Maps">What its convolutions write, a border of zeros around; the last one is the block's output.</param>
    /// <param name="Convolutions">They read and write the maps in their order.</param>
    /// <param name="Shortcut">Where the input is of another size.</param>
    /// <param name="Stage">The blocks that share an output, which they add to; counted from 0.</param>
    private sealed record BlockPlan(Map[] Maps, ConvolutionPlan[] Convolutions, ConvolutionPlan? Shortcut, int Stage) : IDisposable
    {
        public Map Output => Maps[^1];

        public void Dispose()
        {
            Shortcut?.Dispose();
            Array.ForEach(Convolutions, convolution => convolution.Dispose());
        }
    }

    /// <summary>Blocks whose output is one map.</summary>
    /// <param name="Output">The map.</param>
    /// <param name="Chunk">Images computed together.</param>
    private sealed record StagePlan(Map Output, int Chunk);

    /// <summary>All that depends on the size of the images.</summary>
    private sealed class Plan : IDisposable
    {
        private readonly ConcurrentBag<Workspace> _workspaces = [];

        public Plan(CompiledResNet network, int height, int width)
        {
            (Height, Width) = (height, width);
            Stem = new ImageStemPlan(network._stem, height, width);
            Entered = NewMap(Stem.Height, Stem.Width, network._stem.Channels, IsReadByWindows(0, 0));
            var input = Entered;
            var stages = new List<StagePlan>();
            Blocks = new BlockPlan[network._blocks.Length];
            for (var i = 0; i < Blocks.Length; i++)
            {
                var layers = network._blocks[i].Layers;
                var maps = new List<Map>();
                var convolutions = new List<ConvolutionPlan>();
                var read = input;
                for (var position = 0; position < layers.Convolutions.Length; position++)
                {
                    var isLast = position == layers.Convolutions.Length - 1;
                    var map = Written(
                        layers.Convolutions[position],
                        read,
                        isLast ? IsReadByWindows(i + 1, 0) : IsReadByWindows(i, position + 1)
                    );
                    convolutions.Add(Plan(layers.Convolutions[position], read, map, relu: true, adds: isLast));
                    maps.Add(map);
                    read = map;
                }

                var shortcut = layers.Shortcut is { } other ? Plan(other, input, read, relu: false, adds: false) : null;
                // The first block may add to the stem's output, which has no other reader.
                if (shortcut is not null || i == 0)
                {
                    var chunk = Math.Clamp(BlockBytes / read.Layout.Bytes, 1, GroupImages);
                    stages.Add(new StagePlan(read, Math.Max(chunk, stages.Count > 0 ? stages[^1].Chunk : 1)));
                }

                Blocks[i] = new BlockPlan([.. maps], [.. convolutions], shortcut, stages.Count - 1);
                input = read;
            }

            // All images of a group meet in the last stage.
            stages[^1] = stages[^1] with
            {
                Chunk = GroupImages,
            };
            Stages = [.. stages];
            ScratchBytes = Blocks
                .SelectMany(block => block.Convolutions)
                .Select(convolution => convolution.Winograd?.ScratchBytes ?? 0)
                .Append(1)
                .Max();

            // Of a window's row, all pixels must lie next to each other. Elsewhere an odd number of cache lines keeps the pixels of a tile from competing for the
            // same places in the cache.
            bool IsReadByWindows(int block, int position) =>
                // The last block adds to a map that its own first convolution reads.
                ((Convolution)network._blocks[Math.Min(block, network._blocks.Length - 1)].Layers.Convolutions[position].Operation).Window
                > 1;

            Map NewMap(int mapHeight, int mapWidth, int channels, bool isReadByWindows) =>
                new(
                    mapHeight,
                    mapWidth,
                    new PaddedMap(mapHeight + 2 + (mapHeight % 2), mapWidth + 2 + (mapWidth % 2), channels, network.ElementBytes)
                    {
                        Gap = isReadByWindows ? 0 : 64,
                    }
                );

            Map Written(Layer layer, Map read, bool isReadByWindows)
            {
                var stride = ((Convolution)layer.Operation).Stride;
                return NewMap((read.Height + stride - 1) / stride, (read.Width + stride - 1) / stride, layer.Channels, isReadByWindows);
            }

            ConvolutionPlan Plan(Layer layer, Map read, Map written, bool relu, bool adds)
            {
                var convolution = (Convolution)layer.Operation;
                var (input, output) = (read.Layout, written.Layout);
                var grid = new TileGrid(written.Height, written.Width, network.Instructions.MostPixels(PanelVectors));
                var winograd =
                    convolution is { Window: 3, Stride: 1 } && WinogradLayer.Gains(written.Height, written.Width)
                        ? new WinogradLayer(
                            network.Instructions,
                            network.Bf16,
                            PanelVectors,
                            written.Height,
                            written.Width,
                            input,
                            output,
                            adds,
                            Unroll
                        )
                        : null;
                var kernels = grid.Kinds.Select(kind => new ConvolutionKernel(
                    new KernelShape(
                        network.Instructions,
                        network.Bf16,
                        PanelVectors,
                        TileGrid.Offsets(kind, convolution.Stride * input.RowBytes, convolution.Stride * input.PixelBytes),
                        TileGrid.Offsets(kind, output.RowBytes, output.PixelBytes),
                        Unroll,
                        convolution.Window,
                        input.RowBytes,
                        Bias: true,
                        relu
                    )
                    {
                        AddsToOutput = adds,
                    }
                ));
                return new ConvolutionPlan(
                    grid,
                    convolution.Stride,
                    1 - convolution.Padding,
                    convolution.Window * input.Channels * input.ElementBytes / sizeof(float) / Unroll,
                    winograd is null ? [.. kernels] : [],
                    winograd
                );
            }
        }

        public int ScratchBytes { get; }

        public int Height { get; }

        public int Width { get; }

        public ImageStemPlan Stem { get; }

        /// <summary>What the stem gives.</summary>
        public Map Entered { get; }

        public BlockPlan[] Blocks { get; }

        public StagePlan[] Stages { get; }

        public Workspace Rent() => _workspaces.TryTake(out var workspace) ? workspace : new Workspace(this);

        public void Return(Workspace workspace) => _workspaces.Add(workspace);

        public void Dispose()
        {
            Stem.Dispose();
            foreach (var block in Blocks)
            {
                block.Dispose();
            }

            foreach (var workspace in _workspaces)
            {
                workspace.Dispose();
            }
        }
    }

    /// <summary>The memory of one thread.</summary>
    private sealed class Workspace : IDisposable
    {
        private readonly Dictionary<(int Stage, Map Map, int Position), NativeBuffer> _between = [];
        private readonly NativeBuffer[] _outputs;
        private readonly NativeBuffer[][] _maps;

        public Workspace(Plan plan)
        {
            Input = new NativeBuffer(plan.Stem.InputBytes);
            Stem = new NativeBuffer(plan.Stem.MapBytes);
            Scratch = new NativeBuffer(plan.ScratchBytes);
            Entered = plan.Blocks[0].Shortcut is null ? null : new NativeBuffer((long)plan.Entered.Layout.Bytes * plan.Stages[0].Chunk);
            _outputs = [.. plan.Stages.Select(stage => new NativeBuffer((long)stage.Output.Layout.Bytes * stage.Chunk))];
            // Blocks of a stage have maps of the same layout, and none needs another's.
            _maps =
            [
                .. plan.Blocks.Select(block =>
                    block
                        .Maps.Select(
                            (map, position) =>
                                position == block.Maps.Length - 1
                                    ? _outputs[block.Stage]
                                    : Between(block.Stage, map, position, plan.Stages[block.Stage].Chunk)
                        )
                        .ToArray()
                ),
            ];
        }

        public NativeBuffer Input { get; }

        public NativeBuffer Stem { get; }

        public NativeBuffer Scratch { get; }

        /// <summary>What the stem gives, where the first block does not add to it.</summary>
        public NativeBuffer? Entered { get; }

        /// <summary>What a convolution writes, for all images of a chunk.</summary>
        public NativeBuffer Map(int block, int position) => _maps[block][position];

        public NativeBuffer Output(int stage) => _outputs[stage];

        public void Dispose()
        {
            Input.Dispose();
            Stem.Dispose();
            Scratch.Dispose();
            Entered?.Dispose();
            foreach (var buffer in _outputs.Concat(_between.Values))
            {
                buffer.Dispose();
            }
        }

        private NativeBuffer Between(int stage, Map map, int position, int chunk)
        {
            if (!_between.TryGetValue((stage, map, position), out var buffer))
            {
                buffer = new NativeBuffer((long)map.Layout.Bytes * chunk);
                _between.Add((stage, map, position), buffer);
            }

            return buffer;
        }
    }

    /// <summary>Computes one group of images on one thread.</summary>
    private readonly struct Worker(CompiledResNet network, Plan plan, Workspace workspace, byte* images)
    {
        public void Run(int count, float* features)
        {
            var last = plan.Stages.Length - 1;
            Fill(last, 0, count);
            var map = plan.Stages[last].Output;
            for (var i = 0; i < count; i++)
            {
                Elementwise.Mean(
                    network.Bf16,
                    workspace.Output(last).Pointer + ((long)i * map.Layout.Bytes) + map.Layout.Offset(1, 1),
                    map.Height,
                    map.Width,
                    map.Layout.RowBytes,
                    map.Layout.PixelBytes,
                    features + ((long)i * network.Features),
                    network.Features
                );
            }
        }

        /// <summary>Computes a stage's output for some images, and all that comes before it.</summary>
        private void Fill(int stage, int first, int count)
        {
            var begin = Array.FindIndex(plan.Blocks, block => block.Stage == stage);
            if (stage == 0)
            {
                Enter(first, count);
                Begin(begin, workspace.Entered, plan.Entered, 0, count);
            }
            else
            {
                var chunk = plan.Stages[stage - 1].Chunk;
                for (var i = 0; i < count; i += chunk)
                {
                    var taken = Math.Min(chunk, count - i);
                    Fill(stage - 1, first + i, taken);
                    Begin(begin, workspace.Output(stage - 1), plan.Stages[stage - 1].Output, i, taken);
                }
            }

            for (var block = begin + 1; block < plan.Blocks.Length && plan.Blocks[block].Stage == stage; block++)
            {
                Add(block, workspace.Output(stage), plan.Stages[stage].Output, 0, count);
            }
        }

        /// <summary>Takes images through the stem.</summary>
        private void Enter(int first, int count)
        {
            var map = plan.Entered.Layout;
            var target = (workspace.Entered ?? workspace.Output(0)).Pointer;
            for (var i = 0; i < count; i++)
            {
                plan.Stem.Run(
                    images + ((long)(first + i) * plan.Height * plan.Width * 3),
                    workspace.Input.Pointer,
                    workspace.Stem.Pointer,
                    target + ((long)i * map.Bytes) + map.Offset(1, 1),
                    map.RowBytes,
                    map.PixelBytes
                );
            }
        }

        /// <summary>Computes the first block of a stage, for images from a position on of the stage's output.</summary>
        private void Begin(int block, NativeBuffer? input, Map read, int at, int count)
        {
            var planned = plan.Blocks[block];
            if (planned.Shortcut is { } shortcut)
            {
                Convolve(
                    shortcut,
                    network._blocks[block].Shortcut!,
                    input!.Pointer,
                    read.Layout,
                    Target(block, at),
                    planned.Output.Layout,
                    count
                );
            }

            Add(block, input ?? workspace.Output(planned.Stage), read, at, count);
        }

        /// <summary>Adds a block's convolutions to its output.</summary>
        private void Add(int block, NativeBuffer input, Map read, int at, int count)
        {
            var planned = plan.Blocks[block];
            var source = input.Pointer;
            for (var i = 0; i < planned.Convolutions.Length; i++)
            {
                var isLast = i == planned.Convolutions.Length - 1;
                var target = isLast ? Target(block, at) : workspace.Map(block, i).Pointer;
                var weights = network._blocks[block].Convolutions[i].For(planned.Convolutions[i]);
                Convolve(planned.Convolutions[i], weights, source, read.Layout, target, planned.Maps[i].Layout, count);
                source = target;
                read = planned.Maps[i];
            }
        }

        private byte* Target(int block, int at)
        {
            var stage = plan.Blocks[block].Stage;
            return workspace.Output(stage).Pointer + ((long)at * plan.Stages[stage].Output.Layout.Bytes);
        }

        /// <summary>A convolution of some images. A panel of weights is used for all of them before the next one is read.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Convolve(
            ConvolutionPlan planned,
            PackedConvolution weights,
            byte* source,
            PaddedMap read,
            byte* target,
            PaddedMap written,
            int count
        )
        {
            if (planned.Winograd is { } winograd)
            {
                winograd.Run(weights, weights.Bias(0), source, target, count, workspace.Scratch.Pointer);
                return;
            }

            var panelBytes = network.PanelChannels * network.ElementBytes;
            for (var panel = 0; panel < weights.Panels; panel++)
            {
                var values = weights.Panel(panel);
                var bias = weights.Bias(panel);
                for (var image = 0; image < count; image++)
                {
                    var from = source + ((long)image * read.Bytes);
                    var to = target + ((long)image * written.Bytes) + (panel * panelBytes);
                    foreach (var band in planned.Grid.Bands)
                    {
                        foreach (var tile in band)
                        {
                            planned
                                .Kernels[tile.Kind]
                                .Run(
                                    from
                                        + read.Offset(
                                            (tile.Y * planned.Stride) + planned.Border,
                                            (tile.X * planned.Stride) + planned.Border
                                        ),
                                    values,
                                    to + written.Offset(tile.Y + 1, tile.X + 1),
                                    bias,
                                    planned.Iterations
                                );
                        }
                    }
                }
            }
        }
    }
}
