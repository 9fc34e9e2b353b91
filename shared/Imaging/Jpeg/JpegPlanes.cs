using System.Runtime.InteropServices;

namespace Distributed.Imaging.Jpeg;

/// <summary>The samples of one component.</summary>
internal sealed class JpegPlane
{
    private readonly byte[] _samples;
    private readonly ushort[] _steps;

    /// <param name="header">The file's.</param>
    /// <param name="component">The component.</param>
    /// <param name="blockSize">Samples of a side that a block of it becomes.</param>
    /// <param name="unitColumns">Units in a row.</param>
    /// <param name="unitRows">Rows of units.</param>
    public JpegPlane(JpegHeader header, JpegComponent component, int blockSize, int unitColumns, int unitRows)
    {
        (Horizontal, Vertical, BlockSize) = (component.Horizontal, component.Vertical, blockSize);
        (FirstCodes, OtherCodes) = (header.FirstCodesOf(component), header.OtherCodesOf(component));
        _steps = header.StepsOf(component);
        Stride = unitColumns * Horizontal * blockSize;
        _samples = PixelMemory.Rent((Stride * unitRows * Vertical * blockSize) + RgbaImage.Spare);
    }

    /// <summary>Blocks in a row of a unit.</summary>
    public int Horizontal { get; }

    /// <summary>Rows of blocks in a unit.</summary>
    public int Vertical { get; }

    /// <summary>Samples of a side that a block becomes: 8, 4, 2 or 1.</summary>
    public int BlockSize { get; }

    /// <summary>Codes of its first coefficients.</summary>
    public HuffmanTable FirstCodes { get; }

    /// <summary>Codes of its other coefficients.</summary>
    public HuffmanTable OtherCodes { get; }

    /// <summary>The first of its 64 quantisation steps.</summary>
    public ref ushort FirstStep => ref MemoryMarshal.GetArrayDataReference(_steps);

    /// <summary>Samples from a row to the next.</summary>
    public int Stride { get; }

    /// <summary>The first sample.</summary>
    public ref byte FirstSample => ref MemoryMarshal.GetArrayDataReference(_samples);

    /// <summary>A row, and what lies behind it.</summary>
    public ReadOnlySpan<byte> Row(int y) => _samples.AsSpan(y * Stride);

    /// <summary>Gives the memory back.</summary>
    public void Return() => PixelMemory.Return(_samples);
}

/// <summary>The samples of all components of an image, and how they become pixels.</summary>
internal sealed class JpegPlanes : IDisposable
{
    private const int BlockSide = 8;

    private readonly int _width;
    private readonly int _height;
    private readonly bool _isSmooth;

    /// <param name="header">The file's.</param>
    /// <param name="scale">Pixels of the file that become one, on a side: 1, 2, 4 or 8.</param>
    public JpegPlanes(JpegHeader header, int scale)
    {
        var most = header.Components[0];
        UnitColumns = Divide(header.Width, BlockSide * most.Horizontal);
        UnitRows = Divide(header.Height, BlockSide * most.Vertical);
        (_width, _height) = (Divide(header.Width, scale), Divide(header.Height, scale));
        // libjpeg smooths colours only where a block becomes more than a sample.
        _isSmooth = scale < BlockSide;
        All =
        [
            .. header.Components.Select(component => new JpegPlane(
                header,
                component,
                BlockSizeOf(component, most, BlockSide / scale),
                UnitColumns,
                UnitRows
            )),
        ];
    }

    /// <summary>Units in a row.</summary>
    public int UnitColumns { get; }

    /// <summary>Rows of units.</summary>
    public int UnitRows { get; }

    /// <summary>One of each component.</summary>
    public JpegPlane[] All { get; }

    /// <summary>Makes pixels of the samples.</summary>
    public RgbaImage ToRgba()
    {
        var image = new RgbaImage(_width, _height);
        if (All.Length == 1)
        {
            for (var y = 0; y < _height; y++)
            {
                ColourConversion.FromGrey(All[0].Row(y), image.Row(y), _width);
            }

            return image;
        }

        // How many pixels a sample of a colour stands for, beside one of the brightness.
        var (across, down) = (
            All[0].Horizontal * All[0].BlockSize / All[1].BlockSize,
            All[0].Vertical * All[0].BlockSize / All[1].BlockSize
        );
        var (columns, rows) = (Divide(_width, across), Divide(_height, down));
        using var upsampling = new ChromaUpsampling(columns, isSmooth: _isSmooth && columns > 2);
        for (var y = 0; y < _height; y++)
        {
            var (near, far) = Rows(y, down, rows);
            var blue = across == 1 ? All[1].Row(near) : upsampling.Blue(All[1].Row(near), All[1].Row(far), isBetween: down == 2);
            var red = across == 1 ? All[2].Row(near) : upsampling.Red(All[2].Row(near), All[2].Row(far), isBetween: down == 2);
            ColourConversion.FromYCbCr(All[0].Row(y), blue, red, image.Row(y), _width);
        }

        return image;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var plane in All)
        {
            plane.Return();
        }
    }

    /// <summary>The row of colours that a row of pixels lies in, and the one that it lies next to.</summary>
    private static (int Near, int Far) Rows(int y, int down, int rows)
    {
        var near = y / down;
        return (near, down == 1 ? near : Math.Clamp(near + (y % 2 == 0 ? -1 : 1), 0, rows - 1));
    }

    /// <summary>Colours of less resolution become larger blocks, as long as that makes both sides equal, so that less is upsampled.</summary>
    private static int BlockSizeOf(JpegComponent component, JpegComponent most, int size)
    {
        var own = size;
        while (
            own < BlockSide
            && most.Horizontal * size % (component.Horizontal * own * 2) == 0
            && most.Vertical * size % (component.Vertical * own * 2) == 0
        )
        {
            own *= 2;
        }

        return own;
    }

    private static int Divide(int number, int by) => (number + by - 1) / by;
}
