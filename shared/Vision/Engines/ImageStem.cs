using System.Runtime.CompilerServices;
using Distributed.Networks;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Engines;

/// <summary>
/// What DenseNets and ResNets begin with: bytes are looked up in a table of normalised values, a 7×7 convolution goes over every second pixel, and of its
/// rectified outputs the maxima of 3×3 pixels are taken at every second one.
/// </summary>
internal sealed class ImageStem : IDisposable
{
    private readonly NativeBuffer _pixelTable;

    /// <summary>Prepares weights.</summary>
    /// <param name="weights">Those of the network.</param>
    /// <param name="convolution">The 7×7 convolution, with a normalisation and a rectifier behind it.</param>
    /// <param name="bf16">Whether weights and maps are bfloat16.</param>
    /// <param name="instructions">Those that kernels are made of.</param>
    /// <param name="vectors">Of a panel.</param>
    public ImageStem(BackboneWeights weights, Layer convolution, bool bf16, InstructionSet instructions, int vectors)
    {
        (Bf16, Instructions, Vectors, Channels) = (bf16, instructions, vectors, convolution.Channels);
        _pixelTable = CreatePixelTable(weights.Preprocessing, bf16);
        Convolution = PackedConvolution.Create(weights, convolution, vectors * instructions.VectorLength, bf16);
    }

    public bool Bf16 { get; }

    public InstructionSet Instructions { get; }

    public int Vectors { get; }

    public int Channels { get; }

    public int ElementBytes => Bf16 ? sizeof(ushort) : sizeof(float);

    public PackedConvolution Convolution { get; }

    public unsafe byte* PixelTable => _pixelTable.Pointer;

    public static bool Is(Layer layer) =>
        layer
            is {
                Operation: MaxPooling(3, 2),
                Inputs: [
                    {
                        Operation: Rectifier,
                        Inputs: [{ Operation: Convolution { Window: 7, Stride: 2, Norm: not null }, Inputs: [{ Operation: Images }] }],
                    },
                ],
            };

    public void Dispose()
    {
        _pixelTable.Dispose();
        Convolution.Dispose();
    }

    private static unsafe NativeBuffer CreatePixelTable(Preprocessing preprocessing, bool bf16)
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
}

/// <summary>A stem for one size of image: tiles, kernels, and how much memory an image takes.</summary>
internal sealed unsafe class ImageStemPlan : IDisposable
{
    private const int Window = 7;

    private readonly ImageStem _stem;
    private readonly int _height;
    private readonly int _width;
    private readonly int _inputRowBytes;
    private readonly int _mapRowBytes;
    private readonly TileGrid _grid;
    private readonly ConvolutionKernel[] _kernels;

    public ImageStemPlan(ImageStem stem, int height, int width)
    {
        (_stem, _height, _width) = (stem, height, width);
        var bytes = stem.ElementBytes;
        _inputRowBytes = (width + Window - 1) * 3 * bytes;
        _grid = new TileGrid((height + 1) / 2, (width + 1) / 2, stem.Instructions.MostPixels(stem.Vectors));
        _mapRowBytes = (_grid.Width + 2) * stem.Channels * bytes;
        _kernels =
        [
            .. _grid.Kinds.Select(kind => new ConvolutionKernel(
                new KernelShape(
                    stem.Instructions,
                    stem.Bf16,
                    stem.Vectors,
                    TileGrid.Offsets(kind, 2 * _inputRowBytes, 2 * 3 * bytes),
                    TileGrid.Offsets(kind, _mapRowBytes, stem.Channels * bytes),
                    stem.Convolution.StepsOfSegment,
                    Window,
                    _inputRowBytes,
                    Bias: true,
                    Relu: true
                )
            )),
        ];
        InputBytes = ((height + Window - 1) * _inputRowBytes) + 64;
        MapBytes = ((_grid.Height + 2) * _mapRowBytes) + 64;
        (Height, Width) = ((_grid.Height + 1) / 2, (_grid.Width + 1) / 2);
    }

    /// <summary>Of what it gives.</summary>
    public int Height { get; }

    /// <summary>Of what it gives.</summary>
    public int Width { get; }

    /// <summary>Memory for the normalised image with its border; the border must be zero, and stays so.</summary>
    public int InputBytes { get; }

    /// <summary>Memory for the convolution's outputs with their border; the border must be zero, and stays so.</summary>
    public int MapBytes { get; }

    /// <summary>Computes an image.</summary>
    /// <param name="image">uint8 [height, width, 3].</param>
    /// <param name="input"><see cref="InputBytes"/>.</param>
    /// <param name="map"><see cref="MapBytes"/>.</param>
    /// <param name="target">The first channel of the first pixel.</param>
    /// <param name="targetRowBytes">From a row to the next.</param>
    /// <param name="targetPixelBytes">From a pixel to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(byte* image, byte* input, byte* map, byte* target, int targetRowBytes, int targetPixelBytes)
    {
        var (bf16, bytes) = (_stem.Bf16, _stem.ElementBytes);
        for (var y = 0; y < _height; y++)
        {
            Elementwise.Lookup(
                bf16,
                image + ((long)y * _width * 3),
                input + ((y + (Window / 2)) * _inputRowBytes) + (Window / 2 * 3 * bytes),
                _stem.PixelTable,
                _width
            );
        }

        var convolution = _stem.Convolution;
        var pixelBytes = _stem.Channels * bytes;
        var panelBytes = _stem.Vectors * _stem.Instructions.VectorLength * bytes;
        foreach (var band in _grid.Bands)
        {
            foreach (var tile in band)
            {
                var from = input + (tile.Y * 2 * _inputRowBytes) + (tile.X * 2 * 3 * bytes);
                var to = map + ((tile.Y + 1) * _mapRowBytes) + ((tile.X + 1) * pixelBytes);
                for (var panel = 0; panel < convolution.Panels; panel++)
                {
                    _kernels[tile.Kind].Run(from, convolution.Panel(panel), to + (panel * panelBytes), convolution.Bias(panel), 1);
                }
            }
        }

        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                Elementwise.MaxPool(
                    bf16,
                    map + (2 * y * _mapRowBytes) + (2 * x * pixelBytes),
                    _mapRowBytes,
                    target + (y * targetRowBytes) + (x * targetPixelBytes),
                    _stem.Channels
                );
            }
        }
    }

    public void Dispose()
    {
        foreach (var kernel in _kernels)
        {
            kernel.Dispose();
        }
    }
}
