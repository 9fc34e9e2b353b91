using System.Text.Json;

namespace Distributed.Dashboard.Charts;

/// <summary>One of several axes beside each other: where each run stands on it, and what is written beside it.</summary>
internal sealed class ParallelAxis
{
    /// <summary>Where those stand that have no value: below the axis.</summary>
    public const double Nowhere = -0.1;

    /// <summary>Positive numbers that differ by more than this are told apart by their powers of ten.</summary>
    private const double WideRange = 50;

    private ParallelAxis(string name, IReadOnlyList<double> places, IEnumerable<(double Place, string Label)> ticks) =>
        (Name, Places, Ticks) = (name, places, places.Contains(Nowhere) ? [.. ticks, (Nowhere, "–")] : [.. ticks]);

    /// <summary>What it shows.</summary>
    public string Name { get; }

    /// <summary>Where each run stands: 0 at the bottom, 1 at the top.</summary>
    public IReadOnlyList<double> Places { get; }

    /// <summary>What is written beside it.</summary>
    public IReadOnlyList<(double Place, string Label)> Ticks { get; }

    /// <summary>An axis of a setting: numeric where all values are numbers, else with a place for each value.</summary>
    /// <param name="name">The setting.</param>
    /// <param name="values">Its value in each run; null where a run has none.</param>
    public static ParallelAxis Of(string name, IReadOnlyList<JsonElement> values)
    {
        var kinds = values.Select(value => value.ValueKind).Where(kind => kind != JsonValueKind.Null).ToHashSet();
        return kinds.Count == 1 && kinds.Contains(JsonValueKind.Number)
            ? Numeric(
                name,
                [.. values.Select(value => value.ValueKind == JsonValueKind.Null ? null : (double?)value.GetDouble())],
                isShare: false
            )
            : Categorical(name, [.. values.Select(value => value.ValueKind == JsonValueKind.Null ? null : value.ToString())]);
    }

    /// <summary>An axis of numbers.</summary>
    /// <param name="name">What they are.</param>
    /// <param name="values">The number of each run; null where a run has none.</param>
    /// <param name="isShare">Whether they are shares of 1, to be written as percentages.</param>
    public static ParallelAxis Numeric(string name, IReadOnlyList<double?> values, bool isShare)
    {
        var given = values.OfType<double>().ToList();
        var isWide = given.Count > 0 && given.Min() > 0 && given.Max() / given.Min() > WideRange;
        var axis = isWide ? ChartAxis.Logarithmic(given) : ChartAxis.Linear(given, 5);
        return new ParallelAxis(
            name,
            [.. values.Select(value => value is { } number ? axis.Place(number) : Nowhere)],
            axis.Ticks.Select(tick => (axis.Place(tick), axis.Label(tick, isShare)))
        );
    }

    private static ParallelAxis Categorical(string name, IReadOnlyList<string?> values)
    {
        var known = values.OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return new ParallelAxis(
            name,
            [.. values.Select(value => value is null ? Nowhere : PlaceOf(known.IndexOf(value)))],
            known.Select((value, index) => (PlaceOf(index), value))
        );

        double PlaceOf(int index) => known.Count == 1 ? 0.5 : index / (known.Count - 1.0);
    }
}
