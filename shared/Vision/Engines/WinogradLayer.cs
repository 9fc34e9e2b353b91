using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision.Engines;

/// <summary>
/// A 3×3 convolution of stride 1 by <see cref="WinogradTransform"/>, for maps of one size and any number of images: the tiles of all images are the rows of
/// sixteen products of matrices, a batch of them at a time that the second-level cache holds. Behind the products come bias, the block's input, and rectifier.
/// </summary>
/// <remarks>What a tile comes to does not depend on the tiles that are computed with it.</remarks>
internal sealed unsafe class WinogradLayer : IDisposable
{
    /// <summary>Smaller maps are mostly border.</summary>
    private const int LeastSize = 4;

    /// <summary>What the transformed inputs of a batch take of the second-level cache, bytes.</summary>
    private const int BatchBytes = 384 * 1024;

    private const int Size = WinogradTransform.Size;
    private const int Positions = WinogradTransform.Positions;

    private readonly bool _bf16;
    private readonly bool _adds;
    private readonly PaddedMap _read;
    private readonly PaddedMap _written;
    private readonly int _height;
    private readonly int _width;
    private readonly int _inputs;
    private readonly int _panelChannels;
    private readonly int _most;
    private readonly int _iterations;
    private readonly int _rowBytes;
    private readonly int _batch;
    private readonly ConvolutionKernel[] _kernels;

    /// <summary>Prepares.</summary>
    /// <param name="instructions">Those that kernels are made of.</param>
    /// <param name="bf16">Precision of maps and weights.</param>
    /// <param name="vectors">Of a panel.</param>
    /// <param name="height">Of the map, pixels.</param>
    /// <param name="width">Of the map, pixels.</param>
    /// <param name="read">Layout of the input, with a border of a pixel, and of two at the end where height or width is odd.</param>
    /// <param name="written">Layout of the output, with a border of a pixel.</param>
    /// <param name="adds">Whether it adds to what stands in the output.</param>
    /// <param name="unroll">Steps that a kernel makes in one iteration.</param>
    public WinogradLayer(
        InstructionSet instructions,
        bool bf16,
        int vectors,
        int height,
        int width,
        PaddedMap read,
        PaddedMap written,
        bool adds,
        int unroll
    )
    {
        (_bf16, _adds, _height, _width, _read, _written) = (bf16, adds, height, width, read, written);
        _inputs = read.Channels;
        _panelChannels = vectors * instructions.VectorLength;
        _most = instructions.MostPixels(vectors);
        // An odd number of cache lines, so that the rows of a product do not compete for the same places in the cache.
        _rowBytes = (_inputs * read.ElementBytes) + 64;
        _iterations = _inputs * read.ElementBytes / sizeof(float) / unroll;
        _batch = Math.Max(2, BatchBytes / (Positions * _rowBytes) / _most) * _most;
        _kernels =
        [
            .. Enumerable
                .Range(1, _most)
                .Select(rows => new ConvolutionKernel(
                    new KernelShape(
                        instructions,
                        bf16,
                        vectors,
                        [.. Enumerable.Range(0, rows).Select(row => row * _rowBytes)],
                        [.. Enumerable.Range(0, rows).Select(row => row * _panelChannels * sizeof(float))],
                        unroll,
                        1,
                        0,
                        Bias: false,
                        Relu: false
                    )
                    {
                        Float32Outputs = true,
                    }
                )),
        ];
    }

    /// <summary>Memory that it works in.</summary>
    public int ScratchBytes => checked(Positions * _batch * (_rowBytes + (_panelChannels * sizeof(float))));

    private int TileRows => (_height + 1) / WinogradTransform.OutputSize;

    private int TileColumns => (_width + 1) / WinogradTransform.OutputSize;

    /// <summary>Whether it is faster than a direct convolution.</summary>
    public static bool Gains(int height, int width) => Math.Min(height, width) >= LeastSize;

    /// <summary>Computes some images.</summary>
    /// <param name="weights">Of <see cref="WinogradTransform.Weights"/>, packed as one 1×1 convolution.</param>
    /// <param name="bias">Of every output channel.</param>
    /// <param name="source">Inputs, one image behind the other.</param>
    /// <param name="target">Outputs, one image behind the other.</param>
    /// <param name="count">Images.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(PackedConvolution weights, float* bias, byte* source, byte* target, int count, byte* scratch)
    {
        var all = count * TileRows * TileColumns;
        var sums = (float*)(scratch + ((long)Positions * _batch * _rowBytes));
        var panels = weights.Panels / Positions;
        for (var first = 0; first < all; first += _batch)
        {
            var tiles = Math.Min(_batch, all - first);
            Transform(source, first, tiles, scratch);
            for (var panel = 0; panel < panels; panel++)
            {
                Multiply(weights, panel, panels, tiles, scratch, sums);
                Finish(sums, bias + (panel * _panelChannels), target + (panel * _panelChannels * _written.ElementBytes), first, tiles);
            }
        }
    }

    public void Dispose() => Array.ForEach(_kernels, kernel => kernel.Dispose());

    /// <summary>Where a tile's upper left pixel is in a layout with a border.</summary>
    private long OffsetOf(int tile, PaddedMap map, int border)
    {
        var (image, place) = Math.DivRem(tile, TileRows * TileColumns);
        var (row, column) = Math.DivRem(place, TileColumns);
        return ((long)image * map.Bytes)
            + map.Offset((row * WinogradTransform.OutputSize) + border, (column * WinogradTransform.OutputSize) + border);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Transform(byte* source, int first, int tiles, byte* transformed)
    {
        var positionBytes = (long)_batch * _rowBytes;
        for (var tile = 0; tile < tiles; tile++)
        {
            var from = source + OffsetOf(first + tile, _read, border: 0);
            var to = transformed + ((long)tile * _rowBytes);
            if (_bf16)
            {
                for (var channel = 0; channel < _inputs; channel += Vector512<float>.Count)
                {
                    TransformBfloat16(from + (channel * sizeof(ushort)), to + (channel * sizeof(ushort)), positionBytes);
                }
            }
            else
            {
                for (var channel = 0; channel < _inputs; channel += Vector512<float>.Count)
                {
                    TransformSingle(from + (channel * sizeof(float)), to + (channel * sizeof(float)), positionBytes);
                }
            }
        }
    }

    /// <summary>Bᵀ d B of sixteen channels of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TransformBfloat16(byte* from, byte* to, long positionBytes)
    {
        var (row, pixel) = (_read.RowBytes, _read.PixelBytes);
        for (var i = 0; i < Size; i++)
        {
            var (left, right, sum) = (RowLeft(i), RowRight(i), i == 1);
            var a = from + (left * row);
            var b = from + (right * row);
            var (c0, c1, c2, c3) = (
                Combine(Elementwise.Widen((ushort*)a), Elementwise.Widen((ushort*)b), sum),
                Combine(Elementwise.Widen((ushort*)(a + pixel)), Elementwise.Widen((ushort*)(b + pixel)), sum),
                Combine(Elementwise.Widen((ushort*)(a + (2 * pixel))), Elementwise.Widen((ushort*)(b + (2 * pixel))), sum),
                Combine(Elementwise.Widen((ushort*)(a + (3 * pixel))), Elementwise.Widen((ushort*)(b + (3 * pixel))), sum)
            );
            var at = to + (i * Size * positionBytes);
            Elementwise.Store(c0 - c2, (ushort*)at);
            Elementwise.Store(c1 + c2, (ushort*)(at + positionBytes));
            Elementwise.Store(c2 - c1, (ushort*)(at + (2 * positionBytes)));
            Elementwise.Store(c1 - c3, (ushort*)(at + (3 * positionBytes)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TransformSingle(byte* from, byte* to, long positionBytes)
    {
        var (row, pixel) = (_read.RowBytes, _read.PixelBytes);
        for (var i = 0; i < Size; i++)
        {
            var (left, right, sum) = (RowLeft(i), RowRight(i), i == 1);
            var a = from + (left * row);
            var b = from + (right * row);
            var (c0, c1, c2, c3) = (
                Combine(Vector512.Load((float*)a), Vector512.Load((float*)b), sum),
                Combine(Vector512.Load((float*)(a + pixel)), Vector512.Load((float*)(b + pixel)), sum),
                Combine(Vector512.Load((float*)(a + (2 * pixel))), Vector512.Load((float*)(b + (2 * pixel))), sum),
                Combine(Vector512.Load((float*)(a + (3 * pixel))), Vector512.Load((float*)(b + (3 * pixel))), sum)
            );
            var at = to + (i * Size * positionBytes);
            (c0 - c2).Store((float*)at);
            (c1 + c2).Store((float*)(at + positionBytes));
            (c2 - c1).Store((float*)(at + (2 * positionBytes)));
            (c1 - c3).Store((float*)(at + (3 * positionBytes)));
        }
    }

    // The rows of WinogradTransform.Rows, without a look into a list for every tile.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RowLeft(int row) =>
        row == 0 ? 0
        : row == 2 ? 2
        : 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RowRight(int row) =>
        row == 2 ? 1
        : row == 3 ? 3
        : 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Combine(Vector512<float> left, Vector512<float> right, bool sum) => sum ? left + right : left - right;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(PackedConvolution weights, int panel, int panels, int tiles, byte* transformed, float* sums)
    {
        for (var position = 0; position < Positions; position++)
        {
            var values = weights.Panel((position * panels) + panel);
            var from = transformed + ((long)position * _batch * _rowBytes);
            var to = (byte*)(sums + ((long)position * _batch * _panelChannels));
            for (var row = 0; row < tiles; row += _most)
            {
                var rows = Math.Min(_most, tiles - row);
                _kernels[rows - 1]
                    .Run(from + ((long)row * _rowBytes), values, to + ((long)row * _panelChannels * sizeof(float)), null, _iterations);
            }
        }
    }

    /// <summary>Aᵀ M A of the tiles, then bias, what stands in the output, and rectifier.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(float* sums, float* bias, byte* target, int first, int tiles)
    {
        var position = (long)_batch * _panelChannels;
        for (var tile = 0; tile < tiles; tile++)
        {
            var place = (first + tile) % (TileRows * TileColumns);
            var rows = _height - (place / TileColumns * WinogradTransform.OutputSize);
            var columns = _width - (place % TileColumns * WinogradTransform.OutputSize);
            var to = target + OffsetOf(first + tile, _written, border: 1);
            for (var channel = 0; channel < _panelChannels; channel += Vector512<float>.Count)
            {
                var m = sums + ((long)tile * _panelChannels) + channel;
                var (upper0, lower0) = Column(m, position);
                var (upper1, lower1) = Column(m + position, position);
                var (upper2, lower2) = Column(m + (2 * position), position);
                var (upper3, lower3) = Column(m + (3 * position), position);
                var start = Vector512.Load(bias + channel);
                var at = to + (channel * _written.ElementBytes);
                Put(at, start + (upper0 + upper1 + upper2));
                if (columns > 1)
                {
                    Put(at + _written.PixelBytes, start + (upper1 - upper2 - upper3));
                }

                if (rows > 1)
                {
                    Put(at + _written.RowBytes, start + (lower0 + lower1 + lower2));
                    if (columns > 1)
                    {
                        Put(at + _written.RowBytes + _written.PixelBytes, start + (lower1 - lower2 - lower3));
                    }
                }
            }
        }
    }

    /// <summary>Aᵀ times one column of M.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> Upper, Vector512<float> Lower) Column(float* sums, long position)
    {
        var row = Size * position;
        var first = Vector512.Load(sums);
        var second = Vector512.Load(sums + row);
        var third = Vector512.Load(sums + (2 * row));
        var fourth = Vector512.Load(sums + (3 * row));
        return (first + second + third, second - third - fourth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(byte* at, Vector512<float> value)
    {
        if (_adds)
        {
            value += _bf16 ? Elementwise.Widen((ushort*)at) : Vector512.Load((float*)at);
        }

        value = Vector512.MaxNative(value, Vector512<float>.Zero);
        if (_bf16)
        {
            Elementwise.Store(value, (ushort*)at);
        }
        else
        {
            value.Store((float*)at);
        }
    }
}
