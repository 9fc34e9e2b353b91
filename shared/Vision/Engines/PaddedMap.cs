namespace Distributed.Vision.Engines;

/// <summary>Layout of a map with a border of zeros, channels last.</summary>
/// <param name="Height">Border included, pixels.</param>
/// <param name="Width">Border included, pixels.</param>
/// <param name="Channels">Of a pixel.</param>
/// <param name="ElementBytes">Of a number.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct PaddedMap(int Height, int Width, int Channels, int ElementBytes)
{
    /// <summary>Bytes between pixels that belong to none.</summary>
    public int Gap { get; init; }

    public int PixelBytes => (Channels * ElementBytes) + Gap;

    public int RowBytes => Width * PixelBytes;

    public int Bytes => checked(Height * RowBytes);

    /// <summary>Where a pixel is whose coordinates count the border.</summary>
    public int Offset(int y, int x) => (y * RowBytes) + (x * PixelBytes);
}
