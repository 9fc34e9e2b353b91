using System.Collections.Concurrent;
using Distributed.Networks;

namespace Distributed.Vision.Engines;

/// <content>What depends on the size of the images: tiles, kernels and memory.</content>
internal sealed unsafe partial class CompiledResNet
{
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
}
