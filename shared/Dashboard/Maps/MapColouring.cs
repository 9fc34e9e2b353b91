using Distributed.Client;

namespace Distributed.Dashboard.Maps;

/// <summary>What the colours of points say.</summary>
/// <param name="Name">For addresses.</param>
/// <param name="Title">For people.</param>
/// <param name="Field">The list of a map that has a category for each point.</param>
/// <param name="Colours">Names of colours, which repeat where there are more categories.</param>
public sealed record MapColouring(string Name, string Title, string Field, IReadOnlyList<string> Colours)
{
    private static readonly IReadOnlyList<string> Points = [.. Enumerable.Range(0, 10).Select(index => $"--point-{index}")];

    /// <summary>By class.</summary>
    public static MapColouring Class { get; } = new("class", "class", "labels", Points);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<MapColouring> All { get; } =
    [
        Class,
        new("split", "split", "splits", [.. Points.Take(5)]),
        new("mistake", "right and wrong", "tested", ["--point-none", "--line-0", "--line-1"]),
    ];

    /// <summary>The colour of a category.</summary>
    public string ColourOf(int category) => Colours[category % Colours.Count];

    /// <summary>The categories that occur on a map.</summary>
    public IReadOnlyList<MapCategory> CategoriesOf(RunMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        var (names, categories) = Field switch
        {
            "labels" => (map.ClassNames, map.Labels),
            "splits" => (map.SplitNames, map.Splits),
            _ => (["not tested", "right", "a mistake"], map.Tested),
        };
        return
        [
            .. categories
                .Where(category => category >= 0)
                .CountBy(category => category)
                .OrderBy(counted => counted.Key)
                .Select(counted => new MapCategory(names[counted.Key], ColourOf(counted.Key), counted.Value)),
        ];
    }
}

/// <summary>What points of one colour have in common.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Colour">Name of its colour.</param>
/// <param name="Images">Number of points.</param>
public sealed record MapCategory(string Name, string Colour, int Images);
