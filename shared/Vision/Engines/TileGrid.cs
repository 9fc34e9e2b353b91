namespace Distributed.Vision.Engines;

/// <summary>Pixels of a map that a kernel computes at once.</summary>
/// <param name="Y">First row.</param>
/// <param name="X">First column.</param>
/// <param name="Kind">Index of its extent in <see cref="TileGrid.Kinds"/>.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct Tile(int Y, int X, int Kind);

/// <summary>
/// A map cut into tiles of nearly equal numbers of pixels: parts of a row where rows are long, several rows where they are
/// short.
/// </summary>
internal sealed class TileGrid
{
    public TileGrid(int height, int width, int mostPixels)
    {
        Height = height;
        Width = width;
        var kinds = new List<(int Rows, int Columns)>();
        var rows = Cut(height, Math.Max(1, mostPixels / width));
        var columns = Cut(width, mostPixels);
        Bands =
        [
            .. rows.Select(row => columns.Select(column => new Tile(row.First, column.First, KindOf(row.Count, column.Count))).ToArray()),
        ];
        Kinds = [.. kinds];

        int KindOf(int tileRows, int tileColumns)
        {
            var kind = kinds.IndexOf((tileRows, tileColumns));
            if (kind < 0)
            {
                kind = kinds.Count;
                kinds.Add((tileRows, tileColumns));
            }

            return kind;
        }
    }

    public int Height { get; }

    public int Width { get; }

    /// <summary>The extents that occur.</summary>
    public (int Rows, int Columns)[] Kinds { get; }

    /// <summary>All tiles, those of the same rows together, from top to bottom.</summary>
    public Tile[][] Bands { get; }

    /// <summary>Offset of every pixel of a tile from its first, in the kernel's order.</summary>
    public static int[] Offsets((int Rows, int Columns) kind, int rowStride, int columnStride) =>
        [
            .. from row in Enumerable.Range(0, kind.Rows)
            from column in Enumerable.Range(0, kind.Columns)
            select (row * rowStride) + (column * columnStride),
        ];

    /// <summary>The row behind a band.</summary>
    public int EndOf(Tile[] band) => band[0].Y + Kinds[band[0].Kind].Rows;

    private static List<(int First, int Count)> Cut(int length, int most)
    {
        var parts = (length + most - 1) / most;
        return
        [
            .. Enumerable.Range(0, parts).Select(part => (part * length / parts, ((part + 1) * length / parts) - (part * length / parts))),
        ];
    }
}
