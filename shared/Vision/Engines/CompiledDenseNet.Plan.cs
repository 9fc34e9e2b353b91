using System.Collections.Concurrent;

namespace Distributed.Vision.Engines;

/// <content>What depends on the size of the images: tiles, kernels and memory.</content>
internal sealed unsafe partial class CompiledDenseNet
{
    /// <summary>Sizes, tiles and kernels of one dense block for one size of image.</summary>
    /// <param name="Grid">The map.</param>
    /// <param name="Channels">Of the block's output.</param>
    /// <param name="ScratchStride">From a normalised pixel to the next, bytes.</param>
    /// <param name="Chunk">Images computed together.</param>
    /// <param name="Bottleneck">Layout of the bottlenecks.</param>
    /// <param name="Narrow">Kernels of 1×1 convolutions.</param>
    /// <param name="Direct">Kernels of 3×3 convolutions, unless they go by <paramref name="Winograd"/>.</param>
    /// <param name="Winograd">3×3 convolutions, unless they are direct.</param>
    /// <param name="Enter">Kernels of the transition before the block.</param>
    private sealed record BlockPlan(
        TileGrid Grid,
        int Channels,
        int ScratchStride,
        int Chunk,
        PaddedMap Bottleneck,
        ConvolutionKernel[] Narrow,
        ConvolutionKernel[] Direct,
        WinogradConvolution? Winograd,
        ConvolutionKernel[] Enter
    )
    {
        /// <summary>Tiles of the 3×3 convolutions.</summary>
        public TileGrid Tiles => Winograd?.Tiles ?? Grid;

        /// <summary>Whether a band of <see cref="Tiles"/> has its whole windows once a band of <see cref="Grid"/> has its bottlenecks.</summary>
        public bool IsReady(Tile[] band, Tile[] computed)
        {
            var end = Tiles.EndOf(band) * (Winograd is null ? 1 : WinogradTransform.OutputSize);
            return Grid.EndOf(computed) > Math.Min(end, Grid.Height - 1);
        }
    }

    /// <summary>All that depends on the size of the images.</summary>
    private sealed class Plan : IDisposable
    {
        /// <summary>Steps that a kernel makes in one iteration; all numbers of channels divide by them in both precisions.</summary>
        private const int Unroll = 8;

        /// <summary>
        /// So far ahead a 1×1 convolution in bfloat16 fetches its weights, bytes: with all others they are more than the second-level
        /// cache holds, and products are too fast for what the processor fetches by itself.
        /// </summary>
        private const int NarrowPrefetch = 4096;

        private readonly ConcurrentBag<Workspace> _workspaces = [];

        public Plan(CompiledDenseNet network, int height, int width)
        {
            Height = height;
            Width = width;
            var (instructions, bytes, vectors) = (network.Instructions, network.ElementBytes, network.Vectors);
            var most = instructions.MostPixels(vectors);
            Stem = new ImageStemPlan(network._stem, height, width);
            Blocks = new BlockPlan[network._blocks.Length];
            var (mapHeight, mapWidth) = (Stem.Height, Stem.Width);
            for (var block = 0; block < Blocks.Length; block++)
            {
                if (block > 0)
                {
                    (mapHeight, mapWidth) = (mapHeight / 2, mapWidth / 2);
                }

                var grid = new TileGrid(mapHeight, mapWidth, most);
                var entered = network._blocks[block][0].Inputs;
                var channels = entered + (network._blocks[block].Length * network.Layers.GrowthRate);
                var pixelBytes = channels * bytes;
                // An odd number of cache lines, so that the pixels of a tile do not compete for the same places in the cache.
                var scratchStride = (Math.Max(channels, block > 0 ? entered * 2 : 0) * bytes) + 64;
                var winograd =
                    network.Bf16 && WinogradConvolution.Gains(mapHeight, mapWidth)
                        ? new WinogradConvolution(
                            instructions,
                            vectors,
                            mapHeight,
                            mapWidth,
                            network.Layers.Bottleneck,
                            network.Layers.GrowthRate,
                            Unroll
                        )
                        : null;
                var bottleneck = winograd?.Inputs ?? new PaddedMap(mapHeight + 2, mapWidth + 2, network.Layers.Bottleneck, bytes);
                var chunk = Math.Clamp(CompiledDenseNet.BlockBytes / checked(mapHeight * mapWidth * pixelBytes), 1, GroupImages);
                Blocks[block] = new BlockPlan(
                    grid,
                    channels,
                    scratchStride,
                    Math.Max(chunk, block > 0 ? Blocks[block - 1].Chunk : 1),
                    bottleneck,
                    [
                        .. grid.Kinds.Select(kind => new ConvolutionKernel(
                            new KernelShape(
                                instructions,
                                network.Bf16,
                                vectors,
                                Dense(kind, scratchStride),
                                TileGrid.Offsets(kind, bottleneck.RowBytes, bottleneck.PixelBytes),
                                Unroll,
                                1,
                                0,
                                Bias: true,
                                Relu: true
                            )
                            {
                                Float32Outputs = winograd is not null,
                                PrefetchDistance = network.Bf16 ? NarrowPrefetch : 0,
                            }
                        )),
                    ],
                    winograd is null
                        ? Kernels(
                            grid,
                            Unroll,
                            3,
                            bottleneck.RowBytes,
                            false,
                            bottleneck.RowBytes,
                            bottleneck.PixelBytes,
                            mapWidth * pixelBytes,
                            pixelBytes
                        )
                        : [],
                    winograd,
                    [
                        .. grid.Kinds.Select(kind => new ConvolutionKernel(
                            new KernelShape(
                                instructions,
                                network.Bf16,
                                vectors,
                                Dense(kind, scratchStride),
                                TileGrid.Offsets(kind, mapWidth * pixelBytes, pixelBytes),
                                Unroll,
                                1,
                                0,
                                Bias: false,
                                Relu: false
                            )
                        )),
                    ]
                );
            }

            // All images of a group meet in the last block.
            Blocks[^1] = Blocks[^1] with
            {
                Chunk = GroupImages,
            };
            NarrowIterations = inputs => inputs * bytes / sizeof(float) / Unroll;
            DirectIterations = 3 * network.Layers.Bottleneck * bytes / sizeof(float) / Unroll;
            BlockBytes = [.. Blocks.Select(block => checked(block.Grid.Height * block.Grid.Width * block.Channels * bytes))];
            ScratchBytes = Blocks.Max(block => Math.Max(block.ScratchStride * most, block.Winograd?.ScratchBytes ?? 0));

            ConvolutionKernel[] Kernels(
                TileGrid grid,
                int unroll,
                int segments,
                int segmentStride,
                bool bias,
                int inputRow,
                int inputColumn,
                int outputRow,
                int outputColumn
            ) =>
                [
                    .. grid.Kinds.Select(kind => new ConvolutionKernel(
                        new KernelShape(
                            instructions,
                            network.Bf16,
                            vectors,
                            TileGrid.Offsets(kind, inputRow, inputColumn),
                            TileGrid.Offsets(kind, outputRow, outputColumn),
                            unroll,
                            segments,
                            segmentStride,
                            Bias: false,
                            Relu: false
                        )
                    )),
                ];

            int[] Dense((int Rows, int Columns) kind, int stride) => TileGrid.Offsets(kind, kind.Columns * stride, stride);
        }

        public int Height { get; }

        public int Width { get; }

        public ImageStemPlan Stem { get; }

        public BlockPlan[] Blocks { get; }

        public Func<int, int> NarrowIterations { get; }

        public int DirectIterations { get; }

        /// <summary>Of one image.</summary>
        public int[] BlockBytes { get; }

        public int ScratchBytes { get; }

        public Workspace Rent() => _workspaces.TryTake(out var workspace) ? workspace : new Workspace(this);

        public void Return(Workspace workspace) => _workspaces.Add(workspace);

        public void Dispose()
        {
            Stem.Dispose();
            foreach (var kernel in Blocks.SelectMany(block => block.Narrow.Concat(block.Direct).Concat(block.Enter)))
            {
                kernel.Dispose();
            }

            foreach (var block in Blocks)
            {
                block.Winograd?.Dispose();
            }

            foreach (var workspace in _workspaces)
            {
                workspace.Dispose();
            }
        }
    }

    /// <summary>The memory of one thread.</summary>
    private sealed class Workspace(Plan plan) : IDisposable
    {
        public NativeBuffer Input { get; } = new(plan.Stem.InputBytes);

        public NativeBuffer Stem { get; } = new(plan.Stem.MapBytes);

        public NativeBuffer[] Blocks { get; } =
        [.. plan.Blocks.Select((block, i) => new NativeBuffer((long)plan.BlockBytes[i] * block.Chunk))];

        /// <summary>Bottlenecks with a border of zeros, one for each block, so that the border stays where it is.</summary>
        public NativeBuffer[] Padded { get; } = [.. plan.Blocks.Select(block => new NativeBuffer(block.Bottleneck.Bytes))];

        public NativeBuffer Scratch { get; } = new(plan.ScratchBytes);

        public void Dispose()
        {
            Input.Dispose();
            Stem.Dispose();
            Scratch.Dispose();
            foreach (var buffer in Blocks.Concat(Padded))
            {
                buffer.Dispose();
            }
        }
    }
}
