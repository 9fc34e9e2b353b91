using Distributed.Client;

namespace Distributed.Dashboard.Maps;

/// <summary>A rectangle of a map of features, with its edges; both directions go from 0 to <see cref="Extent"/>.</summary>
/// <param name="Left">Its left edge.</param>
/// <param name="Top">Its upper edge.</param>
/// <param name="Right">Its right edge.</param>
/// <param name="Bottom">Its lower edge.</param>
public sealed record MapRegion(int Left, int Top, int Right, int Bottom)
{
    /// <summary>The end of a map in both directions.</summary>
    public const int Extent = 65535;

    /// <summary>The region between edges in any order; an edge that is not given is that of the map, and without any there is none.</summary>
    public static MapRegion? Between(int? left, int? top, int? right, int? bottom)
    {
        if ((left ?? top ?? right ?? bottom) is null)
        {
            return null;
        }

        var (across, other) = (left ?? 0, right ?? Extent);
        var (down, last) = (top ?? 0, bottom ?? Extent);
        return new MapRegion(Math.Min(across, other), Math.Min(down, last), Math.Max(across, other), Math.Max(down, last));
    }

    /// <summary>The points of a map that are within.</summary>
    public IReadOnlyList<int> PointsOf(RunMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        var (left, top, right, bottom) = this;
        return
        [
            .. Enumerable
                .Range(0, map.X.Count)
                .Where(point => map.X[point] >= left && map.X[point] <= right && map.Y[point] >= top && map.Y[point] <= bottom),
        ];
    }
}
