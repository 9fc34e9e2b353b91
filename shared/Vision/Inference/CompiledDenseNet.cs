namespace Distributed.Vision;

/// <summary>
/// The convolutional base of a DenseNet for extraction alone, on processors with AVX-512 or AVX2. It computes what
/// <see cref="DenseNet"/> computes, with less work and far less traffic: normalisations that follow a convolution are folded
/// into its weights, those before one are applied to a tile of pixels at a time, which stays in the first-level cache;
/// transitions average before they convolve; blocks write into slices of one buffer. See docs/performance.md.
/// </summary>
/// <remarks>Every image is computed by itself: neither its neighbours nor the number of threads change a bit of its features.</remarks>
internal sealed unsafe partial class CompiledDenseNet : IDisposable
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
                    Pack(weights.Values(name + ".conv.weight"), channels / 2, channels, 1, null)
                );
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
                    new Lazy<PackedConvolution>(() =>
                        Pack(
                            WinogradTransform.Weights(weights.Values(window)),
                            WinogradTransform.Positions * architecture.GrowthRate,
                            Bottleneck,
                            1,
                            null
                        )
                    )
                );
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
                    features + ((long)first * Architecture.FeatureSize)
                );
                plan.Return(workspace);
            }
        );
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
        int Inputs,
        Normalization Norm,
        PackedConvolution Narrow,
        Lazy<PackedConvolution> Direct,
        Lazy<PackedConvolution> Winograd
    );

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
}
