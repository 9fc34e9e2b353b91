using System.Runtime.CompilerServices;

namespace Distributed.Vision.Engines;

/// <summary>
/// The 3×3 convolutions of maps of one size by <see cref="WinogradTransform"/>: for each of a transformed tile's 16 positions the tiles of
/// a band are the rows of a product of matrices. Inputs are float32 and rounded to bfloat16 once, after their transformation;
/// so features are as near to the plain network's as those of a direct convolution, which rounds its inputs once as well.
/// </summary>
internal sealed unsafe class WinogradConvolution : IDisposable
{
    /// <summary>Smaller maps are mostly border, and have too few tiles for a kernel.</summary>
    private const int LeastSize = 4;

    private readonly int _height;
    private readonly int _width;
    private readonly int _outputs;
    private readonly int _panelBytes;
    private readonly int _iterations;
    private readonly int _transformedBytes;
    private readonly ConvolutionKernel[] _products;
    private readonly WinogradInputKernel[] _addRows;
    private readonly WinogradInputKernel[] _subtractRows;

    /// <summary>Prepares.</summary>
    /// <param name="instructions">They have to include bfloat16.</param>
    /// <param name="vectors">Of a panel.</param>
    /// <param name="height">Of the map.</param>
    /// <param name="width">Of the map.</param>
    /// <param name="inputs">Channels, a multiple of 32.</param>
    /// <param name="outputs">Channels, a multiple of a panel's.</param>
    /// <param name="unroll">Steps that a kernel makes in one iteration.</param>
    public WinogradConvolution(InstructionSet instructions, int vectors, int height, int width, int inputs, int outputs, int unroll)
    {
        (_height, _width, _outputs) = (height, width, outputs);
        var most = instructions.MostPixels(vectors);
        _panelBytes = vectors * instructions.VectorBytes;
        _iterations = inputs * sizeof(ushort) / sizeof(float) / unroll;
        Tiles = new TileGrid((height + 1) / WinogradTransform.OutputSize, (width + 1) / WinogradTransform.OutputSize, most);
        Inputs = new PaddedMap(
            (Tiles.Height * WinogradTransform.OutputSize) + 2,
            (Tiles.Width * WinogradTransform.OutputSize) + 2,
            inputs,
            sizeof(float)
        );
        _transformedBytes = WinogradTransform.Size * most * TransformedPixel;
        ScratchBytes = _transformedBytes + (WinogradTransform.Positions * most * SumPixel);
        _products =
        [
            .. Tiles.Kinds.Select(kind => new ConvolutionKernel(
                new KernelShape(
                    instructions,
                    Bf16: true,
                    vectors,
                    Dense(kind, TransformedPixel),
                    Dense(kind, SumPixel),
                    unroll,
                    1,
                    0,
                    Bias: false,
                    Relu: false
                )
                {
                    Float32Outputs = true,
                    // The next position's weights come while this one's are used.
                    PrefetchDistance = inputs * sizeof(ushort) * vectors * instructions.VectorLength,
                }
            )),
        ];
        _addRows = InputKernels(sum: true);
        _subtractRows = InputKernels(sum: false);

        static int[] Dense((int Rows, int Columns) kind, int stride) => TileGrid.Offsets(kind, kind.Columns * stride, stride);

        WinogradInputKernel[] InputKernels(bool sum) =>
            [
                .. Tiles.Kinds.Select(kind => new WinogradInputKernel(
                    kind.Columns,
                    inputs,
                    kind.Rows * kind.Columns * TransformedPixel,
                    sum
                )),
            ];
    }

    /// <summary>The map cut into tiles of 2×2 outputs.</summary>
    public TileGrid Tiles { get; }

    /// <summary>What it reads: the border makes odd heights and widths even.</summary>
    public PaddedMap Inputs { get; }

    /// <summary>Memory it works in.</summary>
    public int ScratchBytes { get; }

    private int TransformedPixel => Inputs.Channels * sizeof(ushort);

    private int SumPixel => _outputs * sizeof(float);

    /// <summary>Whether it is faster than a direct convolution.</summary>
    public static bool Gains(int height, int width) => Math.Min(height, width) >= LeastSize;

    /// <summary>Computes a band of tiles.</summary>
    /// <param name="weights">Of <see cref="WinogradTransform.Weights"/>, packed as one 1×1 convolution.</param>
    /// <param name="band">Of <see cref="Tiles"/>.</param>
    /// <param name="padded">As <see cref="Inputs"/> says.</param>
    /// <param name="output">First channel of the first pixel, bfloat16.</param>
    /// <param name="pixelBytes">From an output to the next.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(PackedConvolution weights, Tile[] band, byte* padded, byte* output, int pixelBytes, byte* scratch)
    {
        var sums = scratch + _transformedBytes;
        foreach (var tile in band)
        {
            var (rows, columns) = Tiles.Kinds[tile.Kind];
            var first = padded + Inputs.Offset(tile.Y * WinogradTransform.OutputSize, tile.X * WinogradTransform.OutputSize);
            // A row of positions at a time, which stays in the first-level cache.
            for (var row = 0; row < WinogradTransform.Size; row++)
            {
                Transform(row, tile.Kind, first, scratch);
                Multiply(row, tile.Kind, weights, scratch, sums);
            }

            var sum = sums;
            for (var y = tile.Y; y < tile.Y + rows; y++)
            {
                for (var x = tile.X; x < tile.X + columns; x++)
                {
                    var (top, left) = (y * WinogradTransform.OutputSize, x * WinogradTransform.OutputSize);
                    WinogradTransform.Outputs(
                        sum,
                        rows * columns * SumPixel,
                        output + (((top * _width) + left) * pixelBytes),
                        _width * pixelBytes,
                        pixelBytes,
                        _height - top,
                        _width - left,
                        _outputs
                    );
                    sum += SumPixel;
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (IDisposable kernel in (IDisposable[])[.. _products, .. _addRows, .. _subtractRows])
        {
            kernel.Dispose();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Transform(int row, int kind, byte* first, byte* transformed)
    {
        var (rows, columns) = Tiles.Kinds[kind];
        var (left, right, sum) = WinogradTransform.Rows[row];
        var kernel = (sum ? _addRows : _subtractRows)[kind];
        for (var y = 0; y < rows; y++)
        {
            kernel.Run(first + (left * Inputs.RowBytes), first + (right * Inputs.RowBytes), transformed);
            first += WinogradTransform.OutputSize * Inputs.RowBytes;
            transformed += columns * TransformedPixel;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int row, int kind, PackedConvolution weights, byte* transformed, byte* sums)
    {
        var (rows, columns) = Tiles.Kinds[kind];
        var panels = weights.Panels / WinogradTransform.Positions;
        for (var column = 0; column < WinogradTransform.Size; column++)
        {
            var position = (row * WinogradTransform.Size) + column;
            for (var panel = 0; panel < panels; panel++)
            {
                _products[kind]
                    .Run(
                        transformed + (column * rows * columns * TransformedPixel),
                        weights.Panel((position * panels) + panel),
                        sums + (position * rows * columns * SumPixel) + (panel * _panelBytes),
                        null,
                        _iterations
                    );
            }
        }
    }
}
