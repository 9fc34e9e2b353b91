using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Distributed.Vision;

/// <summary>
/// The convolutional base of a DenseNet for extraction alone, on processors with AVX-512 or AVX2. It computes what
/// <see cref="DenseNet"/> computes, with less work and far less traffic: normalisations that follow a convolution are folded
/// into its weights, those before one are applied to a tile of pixels at a time, which stays in the first-level cache;
/// transitions average before they convolve; blocks write into slices of one buffer. See docs/performance.md.
/// </summary>
/// <remarks>Every image is computed by itself: neither its neighbours nor the number of threads change a bit of its features.</remarks>
internal sealed unsafe class CompiledDenseNet : IDisposable
{
    /// <summary>Images that a thread takes at a time: the weights of the deep layers are read once for all of them.</summary>
    private const int GroupImages = 8;

    /// <summary>What the images of a block may take of the second-level cache, bytes.</summary>
    private const int BlockBytes = 512 * 1024;

    private readonly NativeBuffer _pixelTable;
    private readonly PackedConvolution _stem;
    private readonly Layer[][] _blocks;
    private readonly Transition[] _transitions;
    private readonly Normalization _last;
    private Plan? _plan;

    public CompiledDenseNet(DenseNetArchitecture architecture, BackboneWeights weights, bool bf16, InstructionSet instructions)
    {
        Architecture = architecture;
        Bf16 = bf16;
        Instructions = instructions;
        _pixelTable = CreatePixelTable(weights.Preprocessing, bf16);
        _stem = PackFolded(weights, "conv0", "norm0", architecture.InitialFeatures, 3, 7);
        var channels = architecture.InitialFeatures;
        _blocks = new Layer[architecture.Blocks.Length][];
        _transitions = new Transition[_blocks.Length - 1];
        for (var block = 0; block < _blocks.Length; block++)
        {
            if (block > 0)
            {
                var name = $"transition{block}";
                _transitions[block - 1] = new Transition(
                    new Normalization(weights, name + ".norm", channels),
                    Pack(weights.Values(name + ".conv.weight"), channels / 2, channels, 1, null));
                channels /= 2;
            }

            _blocks[block] = new Layer[architecture.Blocks[block]];
            for (var layer = 0; layer < _blocks[block].Length; layer++)
            {
                var name = $"denseblock{block + 1}.denselayer{layer + 1}";
                var window = name + ".conv2.weight";
                _blocks[block][layer] = new Layer(
                    channels,
                    new Normalization(weights, name + ".norm1", channels),
                    PackFolded(weights, name + ".conv1", name + ".norm2", Bottleneck, channels, 1),
                    new Lazy<PackedConvolution>(() => Pack(weights.Values(window), architecture.GrowthRate, Bottleneck, 3, null)),
                    new Lazy<PackedConvolution>(() => Pack(
                        WinogradTransform.Weights(weights.Values(window)), WinogradTransform.Positions * architecture.GrowthRate, Bottleneck, 1, null)));
                channels += architecture.GrowthRate;
            }
        }

        _last = new Normalization(weights, "norm5", channels);
    }

    public DenseNetArchitecture Architecture { get; }

    public bool Bf16 { get; }

    private InstructionSet Instructions { get; }

    /// <summary>Of a panel.</summary>
    private int Vectors => Instructions.PanelVectors(Architecture.GrowthRate);

    private int PanelChannels => Vectors * Instructions.Lanes;

    private int Bottleneck => DenseNetArchitecture.BottleneckFactor * Architecture.GrowthRate;

    private int ElementBytes => Bf16 ? sizeof(ushort) : sizeof(float);

    /// <summary>Computes features.</summary>
    /// <param name="images">uint8 [count, height, width, 3].</param>
    /// <param name="count">Images.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="features">Receives [count, features].</param>
    /// <param name="threads">Threads to use.</param>
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
        Parallel.For(0, (count + group - 1) / group, new ParallelOptions { MaxDegreeOfParallelism = threads }, index =>
        {
            var workspace = plan.Rent();
            var first = index * group;
            new Worker(this, plan, workspace, images + (first * imageBytes)).Run(Math.Min(group, count - first), features + ((long)first * Architecture.FeatureSize));
            plan.Return(workspace);
        });
    }

    public void Dispose()
    {
        _plan?.Dispose();
        _pixelTable.Dispose();
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

    private static NativeBuffer CreatePixelTable(Preprocessing preprocessing, bool bf16)
    {
        var table = new NativeBuffer(3 * 256 * sizeof(float));
        for (var i = 0; i < 3 * 256; i++)
        {
            var value = ((i % 256 / 255f) - preprocessing.Mean[i / 256]) / preprocessing.Std[i / 256];
            if (bf16)
            {
                ((ushort*)table.Pointer)[i] = Elementwise.ToBfloat16(value);
            }
            else
            {
                table.Floats[i] = value;
            }
        }

        return table;
    }

    private PackedConvolution Pack(float[] weights, int outputs, int inputs, int window, float[]? bias) =>
        new(weights, outputs, inputs, window, PanelChannels, Bf16, bias);

    private PackedConvolution PackFolded(BackboneWeights weights, string convolution, string norm, int outputs, int inputs, int window)
    {
        var (folded, bias) = weights.FoldedConvolution(convolution, norm);
        return Pack(folded, outputs, inputs, window, bias);
    }

    /// <summary>The 3×3 convolution's weights are packed as the size of the maps wants them.</summary>
    private sealed record Layer(
        int Inputs, Normalization Norm, PackedConvolution Narrow, Lazy<PackedConvolution> Direct, Lazy<PackedConvolution> Winograd);

    private sealed record Transition(Normalization Norm, PackedConvolution Convolution);

    /// <summary>A normalisation with fixed statistics: scale and shift.</summary>
    private sealed class Normalization : IDisposable
    {
        private readonly NativeBuffer _factors;

        public Normalization(BackboneWeights weights, string name, int channels)
        {
            var (scale, shift) = weights.Normalization(name);
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
        ConvolutionKernel[] Enter)
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
            var initial = network.Architecture.InitialFeatures;
            InputRowBytes = (width + 6) * 3 * bytes;
            Stem = new TileGrid((height + 1) / 2, (width + 1) / 2, most);
            StemRowBytes = (Stem.Width + 2) * initial * bytes;
            StemKernels = Kernels(Stem, network._stem.StepsOfSegment, 7, InputRowBytes, true, 2 * InputRowBytes, 2 * 3 * bytes, StemRowBytes, initial * bytes);
            Blocks = new BlockPlan[network._blocks.Length];
            var (mapHeight, mapWidth) = ((Stem.Height + 1) / 2, (Stem.Width + 1) / 2);
            for (var block = 0; block < Blocks.Length; block++)
            {
                if (block > 0)
                {
                    (mapHeight, mapWidth) = (mapHeight / 2, mapWidth / 2);
                }

                var grid = new TileGrid(mapHeight, mapWidth, most);
                var entered = network._blocks[block][0].Inputs;
                var channels = entered + (network._blocks[block].Length * network.Architecture.GrowthRate);
                var pixelBytes = channels * bytes;
                // An odd number of cache lines, so that the pixels of a tile do not compete for the same places in the cache.
                var scratchStride = (Math.Max(channels, block > 0 ? entered * 2 : 0) * bytes) + 64;
                var winograd = network.Bf16 && WinogradConvolution.Gains(mapHeight, mapWidth)
                    ? new WinogradConvolution(instructions, vectors, mapHeight, mapWidth, network.Bottleneck, network.Architecture.GrowthRate, Unroll)
                    : null;
                var bottleneck = winograd?.Inputs ?? new PaddedMap(mapHeight + 2, mapWidth + 2, network.Bottleneck, bytes);
                var chunk = Math.Clamp(CompiledDenseNet.BlockBytes / checked(mapHeight * mapWidth * pixelBytes), 1, GroupImages);
                Blocks[block] = new BlockPlan(
                    grid,
                    channels,
                    scratchStride,
                    Math.Max(chunk, block > 0 ? Blocks[block - 1].Chunk : 1),
                    bottleneck,
                    [.. grid.Kinds.Select(kind => new ConvolutionKernel(new KernelShape(
                        instructions, network.Bf16, vectors, Dense(kind, scratchStride), TileGrid.Offsets(kind, bottleneck.RowBytes, bottleneck.PixelBytes), Unroll, 1, 0, true)
                    {
                        Float32Outputs = winograd is not null,
                        PrefetchDistance = network.Bf16 ? NarrowPrefetch : 0,
                    }))],
                    winograd is null
                        ? Kernels(grid, Unroll, 3, bottleneck.RowBytes, false, bottleneck.RowBytes, bottleneck.PixelBytes, mapWidth * pixelBytes, pixelBytes)
                        : [],
                    winograd,
                    [.. grid.Kinds.Select(kind => new ConvolutionKernel(new KernelShape(
                        instructions, network.Bf16, vectors, Dense(kind, scratchStride), TileGrid.Offsets(kind, mapWidth * pixelBytes, pixelBytes), Unroll, 1, 0, false)))]);
            }

            // All images of a group meet in the last block.
            Blocks[^1] = Blocks[^1] with { Chunk = GroupImages };
            NarrowIterations = inputs => inputs * bytes / sizeof(float) / Unroll;
            DirectIterations = 3 * network.Bottleneck * bytes / sizeof(float) / Unroll;
            InputBytes = ((height + 6) * InputRowBytes) + 64;
            StemBytes = ((Stem.Height + 2) * StemRowBytes) + 64;
            BlockBytes = [.. Blocks.Select(block => checked(block.Grid.Height * block.Grid.Width * block.Channels * bytes))];
            ScratchBytes = Blocks.Max(block => Math.Max(block.ScratchStride * most, block.Winograd?.ScratchBytes ?? 0));

            ConvolutionKernel[] Kernels(TileGrid grid, int unroll, int segments, int segmentStride, bool bias, int inputRow, int inputColumn, int outputRow, int outputColumn) =>
                [.. grid.Kinds.Select(kind => new ConvolutionKernel(new KernelShape(
                    instructions, network.Bf16, vectors, TileGrid.Offsets(kind, inputRow, inputColumn), TileGrid.Offsets(kind, outputRow, outputColumn), unroll, segments, segmentStride, bias)))];

            int[] Dense((int Rows, int Columns) kind, int stride) => TileGrid.Offsets(kind, kind.Columns * stride, stride);
        }

        public int Height { get; }

        public int Width { get; }

        public int InputRowBytes { get; }

        public int StemRowBytes { get; }

        public TileGrid Stem { get; }

        public ConvolutionKernel[] StemKernels { get; }

        public BlockPlan[] Blocks { get; }

        public Func<int, int> NarrowIterations { get; }

        public int DirectIterations { get; }

        public int InputBytes { get; }

        public int StemBytes { get; }

        /// <summary>Of one image.</summary>
        public int[] BlockBytes { get; }

        public int ScratchBytes { get; }

        public Workspace Rent() => _workspaces.TryTake(out var workspace) ? workspace : new Workspace(this);

        public void Return(Workspace workspace) => _workspaces.Add(workspace);

        public void Dispose()
        {
            foreach (var kernel in StemKernels.Concat(Blocks.SelectMany(block => block.Narrow.Concat(block.Direct).Concat(block.Enter))))
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
        public NativeBuffer Input { get; } = new(plan.InputBytes);

        public NativeBuffer Stem { get; } = new(plan.StemBytes);

        public NativeBuffer[] Blocks { get; } = [.. plan.Blocks.Select((block, i) => new NativeBuffer((long)plan.BlockBytes[i] * block.Chunk))];

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

    /// <summary>Computes one group of images on one thread.</summary>
    private readonly struct Worker(CompiledDenseNet network, Plan plan, Workspace workspace, byte* images)
    {
        private readonly bool _bf16 = network.Bf16;
        private readonly int _bytes = network.ElementBytes;
        private readonly int _panelBytes = network.PanelChannels * network.ElementBytes;

        public void Run(int count, float* features)
        {
            var last = plan.Blocks.Length - 1;
            Fill(last, 0, count);
            var grid = plan.Blocks[last].Grid;
            var size = network.Architecture.FeatureSize;
            for (var i = 0; i < count; i++)
            {
                Elementwise.NormalizeReluMean(
                    _bf16, Image(last, i), grid.Height * grid.Width, features + ((long)i * size), network._last.Scale, network._last.Shift, size);
            }
        }

        private byte* Image(int block, int index) => workspace.Blocks[block].Pointer + ((long)index * plan.BlockBytes[block]);

        /// <summary>Computes a block's buffer for some images, and all that comes before it.</summary>
        private void Fill(int block, int first, int count)
        {
            if (block == 0)
            {
                for (var i = 0; i < count; i++)
                {
                    Enter(images + ((long)(first + i) * plan.Height * plan.Width * 3), Image(0, i));
                }
            }
            else
            {
                var chunk = plan.Blocks[block - 1].Chunk;
                for (var i = 0; i < count; i += chunk)
                {
                    var taken = Math.Min(chunk, count - i);
                    Fill(block - 1, first + i, taken);
                    for (var image = 0; image < taken; image++)
                    {
                        Pass(block, Image(block - 1, image), Image(block, i + image));
                    }
                }
            }

            foreach (var layer in network._blocks[block])
            {
                for (var i = 0; i < count; i++)
                {
                    Grow(layer, plan.Blocks[block], Image(block, i), workspace.Padded[block].Pointer);
                }
            }
        }

        /// <summary>Normalises an image, convolves it and takes maxima, into a block's first channels.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Enter(byte* image, byte* target)
        {
            var input = workspace.Input.Pointer;
            for (var y = 0; y < plan.Height; y++)
            {
                Elementwise.Lookup(
                    _bf16, image + ((long)y * plan.Width * 3), input + ((y + 3) * plan.InputRowBytes) + (3 * 3 * _bytes), network._pixelTable.Pointer, plan.Width);
            }

            var stem = workspace.Stem.Pointer;
            var channels = network.Architecture.InitialFeatures;
            var pixelBytes = channels * _bytes;
            foreach (var band in plan.Stem.Bands)
            {
                foreach (var tile in band)
                {
                    var from = input + (tile.Y * 2 * plan.InputRowBytes) + (tile.X * 2 * 3 * _bytes);
                    var to = stem + ((tile.Y + 1) * plan.StemRowBytes) + ((tile.X + 1) * pixelBytes);
                    for (var panel = 0; panel < network._stem.Panels; panel++)
                    {
                        plan.StemKernels[tile.Kind].Run(from, network._stem.Panel(panel), to + (panel * _panelBytes), network._stem.Bias(panel), 1);
                    }
                }
            }

            var block = plan.Blocks[0];
            for (var y = 0; y < block.Grid.Height; y++)
            {
                for (var x = 0; x < block.Grid.Width; x++)
                {
                    Elementwise.MaxPool(
                        _bf16,
                        stem + (2 * y * plan.StemRowBytes) + (2 * x * pixelBytes),
                        plan.StemRowBytes,
                        target + (((y * block.Grid.Width) + x) * block.Channels * _bytes),
                        channels);
                }
            }
        }

        /// <summary>A transition: averaging and a 1×1 convolution commute, and this way round there is a quarter of the work.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Pass(int block, byte* source, byte* target)
        {
            var (before, after) = (plan.Blocks[block - 1], plan.Blocks[block]);
            var transition = network._transitions[block - 1];
            var sourcePixel = before.Channels * _bytes;
            var sourceRow = before.Grid.Width * sourcePixel;
            var targetPixel = after.Channels * _bytes;
            var scratch = workspace.Scratch.Pointer;
            var iterations = plan.NarrowIterations(before.Channels);
            foreach (var band in after.Grid.Bands)
            {
                foreach (var tile in band)
                {
                    var (rows, columns) = after.Grid.Kinds[tile.Kind];
                    var pooled = scratch;
                    for (var y = 0; y < rows; y++)
                    {
                        for (var x = 0; x < columns; x++)
                        {
                            var corner = source + (2 * (tile.Y + y) * sourceRow) + (2 * (tile.X + x) * sourcePixel);
                            Elementwise.NormalizeReluPool(_bf16, corner, sourceRow, pooled, transition.Norm.Scale, transition.Norm.Shift, before.Channels);
                            pooled += after.ScratchStride;
                        }
                    }

                    var to = target + (((tile.Y * after.Grid.Width) + tile.X) * targetPixel);
                    for (var panel = 0; panel < transition.Convolution.Panels; panel++)
                    {
                        after.Enter[tile.Kind].Run(scratch, transition.Convolution.Panel(panel), to + (panel * _panelBytes), null, iterations);
                    }
                }
            }
        }

        /// <summary>
        /// One dense layer. The 3×3 convolution follows the 1×1 convolution as closely as its windows allow, so that what it
        /// reads was written a moment ago.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Grow(Layer layer, BlockPlan block, byte* image, byte* padded)
        {
            var widened = 0;
            foreach (var band in block.Grid.Bands)
            {
                Narrow(layer, block, band, image, padded);
                for (; widened < block.Tiles.Bands.Length && block.IsReady(block.Tiles.Bands[widened], band); widened++)
                {
                    Widen(layer, block, block.Tiles.Bands[widened], image, padded);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Narrow(Layer layer, BlockPlan block, Tile[] band, byte* image, byte* padded)
        {
            var pixelBytes = block.Channels * _bytes;
            var panelBytes = network.PanelChannels * block.Bottleneck.ElementBytes;
            var scratch = workspace.Scratch.Pointer;
            var iterations = plan.NarrowIterations(layer.Inputs);
            foreach (var tile in band)
            {
                var (rows, columns) = block.Grid.Kinds[tile.Kind];
                var normalized = scratch;
                for (var y = 0; y < rows; y++)
                {
                    var source = image + ((((tile.Y + y) * block.Grid.Width) + tile.X) * pixelBytes);
                    for (var x = 0; x < columns; x++)
                    {
                        Elementwise.NormalizeRelu(_bf16, source, normalized, layer.Norm.Scale, layer.Norm.Shift, layer.Inputs);
                        source += pixelBytes;
                        normalized += block.ScratchStride;
                    }
                }

                var to = padded + block.Bottleneck.Offset(tile.Y + 1, tile.X + 1);
                for (var panel = 0; panel < layer.Narrow.Panels; panel++)
                {
                    block.Narrow[tile.Kind].Run(scratch, layer.Narrow.Panel(panel), to + (panel * panelBytes), layer.Narrow.Bias(panel), iterations);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Widen(Layer layer, BlockPlan block, Tile[] band, byte* image, byte* padded)
        {
            var pixelBytes = block.Channels * _bytes;
            var output = image + (layer.Inputs * _bytes);
            if (block.Winograd is { } winograd)
            {
                winograd.Run(layer.Winograd.Value, band, padded, output, pixelBytes, workspace.Scratch.Pointer);
                return;
            }

            var weights = layer.Direct.Value;
            foreach (var tile in band)
            {
                var from = padded + block.Bottleneck.Offset(tile.Y, tile.X);
                var to = output + (((tile.Y * block.Grid.Width) + tile.X) * pixelBytes);
                for (var panel = 0; panel < weights.Panels; panel++)
                {
                    block.Direct[tile.Kind].Run(from, weights.Panel(panel), to + (panel * _panelBytes), null, plan.DirectIterations);
                }
            }
        }
    }
}
