using Distributed.Client;

namespace Distributed.Dashboard.Maps;

/// <summary>Where the images of a class are on a map of features, for who does not see it.</summary>
/// <param name="Label">Its index.</param>
/// <param name="Name">Its name.</param>
/// <param name="Images">Its images on the map.</param>
/// <param name="Mistakes">Those that the head has wrong.</param>
/// <param name="Middle">From the first quartile to the third in both directions.</param>
/// <param name="Nearest">The class whose middle is nearest; null where there is no other.</param>
public sealed record MapClass(int Label, string Name, int Images, int Mistakes, MapRegion Middle, string? Nearest)
{
    /// <summary>The classes that have images on a map, in the order of their labels.</summary>
    public static IReadOnlyList<MapClass> Of(RunMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        var classes = Enumerable
            .Range(0, map.X.Count)
            .Where(point => map.Labels[point] >= 0)
            .GroupBy(point => map.Labels[point])
            .OrderBy(points => points.Key)
            .Select(points => new MapClass(
                points.Key,
                map.ClassNames[points.Key],
                points.Count(),
                points.Count(point => map.Tested[point] == 2),
                MiddleOf([.. points.Select(point => map.X[point]).Order()], [.. points.Select(point => map.Y[point]).Order()]),
                Nearest: null
            ))
            .ToList();
        return [.. classes.Select(one => one with { Nearest = classes.Where(other => other != one).MinBy(one.DistanceTo)?.Name })];
    }

    private double DistanceTo(MapClass other) =>
        Math.Pow(Middle.Left + Middle.Right - other.Middle.Left - other.Middle.Right, 2)
        + Math.Pow(Middle.Top + Middle.Bottom - other.Middle.Top - other.Middle.Bottom, 2);

    private static MapRegion MiddleOf(List<int> x, List<int> y) =>
        new(x[x.Count / 4], y[y.Count / 4], x[(x.Count - 1) * 3 / 4], y[(y.Count - 1) * 3 / 4]);
}
