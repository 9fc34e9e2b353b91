namespace Distributed.Imaging;

/// <summary>Rows of RGB pixels between the passes of a resampling, in memory that the next image uses again.</summary>
/// <param name="width">Pixels of a row.</param>
/// <param name="count">Number of rows.</param>
internal sealed class RgbRows(int width, int count) : IDisposable
{
    /// <summary>Bytes of a vector that loops over rows take whole.</summary>
    public const int VectorBytes = 32;

    private readonly byte[] _bytes = PixelMemory.Rent((StrideOf(width) * count) + VectorBytes);

    /// <summary>Pixels of a row.</summary>
    public int Width => width;

    /// <summary>Number of rows.</summary>
    public int Count => count;

    /// <summary>Bytes from a row to the next: whole vectors, and at least a byte that is no pixel's.</summary>
    public int Stride => StrideOf(width);

    /// <summary>All bytes, and what lies behind them.</summary>
    public Span<byte> Bytes => _bytes;

    /// <summary>A row, and what lies behind it.</summary>
    public Span<byte> Row(int y) => _bytes.AsSpan(y * Stride);

    /// <inheritdoc/>
    public void Dispose() => PixelMemory.Return(_bytes);

    private static int StrideOf(int width) => ((width * 3) + VectorBytes) / VectorBytes * VectorBytes;
}
