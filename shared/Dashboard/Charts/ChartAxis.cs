using System.Globalization;

namespace Distributed.Dashboard.Charts;

/// <summary>Where values stand on an axis, and which of them are written beside it.</summary>
internal sealed class ChartAxis
{
    private readonly double _low;
    private readonly double _high;
    private readonly bool _isLogarithmic;

    private ChartAxis(double low, double high, bool isLogarithmic, IReadOnlyList<double> ticks) =>
        (_low, _high, _isLogarithmic, Ticks) = (low, high, isLogarithmic, ticks);

    /// <summary>Round values within the range.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>An axis that holds all values, with round ticks.</summary>
    public static ChartAxis Linear(IEnumerable<double> values, int ticks)
    {
        var (low, high) = Range(values);
        if (high - low < 1e-12)
        {
            (low, high) = (low - 0.5, high + 0.5);
        }

        var step = NiceStep((high - low) / ticks);
        (low, high) = (Math.Floor(low / step) * step, Math.Ceiling(high / step) * step);
        return new ChartAxis(
            low,
            high,
            isLogarithmic: false,
            [.. Enumerable.Range(0, (int)Math.Round((high - low) / step) + 1).Select(index => low + (index * step))]
        );
    }

    /// <summary>An axis of powers of ten.</summary>
    public static ChartAxis Logarithmic(IEnumerable<double> values)
    {
        var (low, high) = Range(values.Where(value => value > 0));
        var (first, last) = ((int)Math.Floor(Math.Log10(low)), (int)Math.Ceiling(Math.Log10(high)));
        last = Math.Max(last, first + 1);
        var stride = Math.Max(1, (last - first) / 5);
        return new ChartAxis(
            first,
            last,
            isLogarithmic: true,
            [
                .. Enumerable
                    .Range(first, last - first + 1)
                    .Where(power => (power - first) % stride == 0)
                    .Select(power => Math.Pow(10, power)),
            ]
        );
    }

    /// <summary>Where a value stands; 0 at the beginning of the axis, 1 at its end.</summary>
    public double Place(double value) => ((_isLogarithmic ? Math.Log10(value) : value) - _low) / (_high - _low);

    /// <summary>A tick's label.</summary>
    public string Label(double tick, bool isShare) =>
        isShare ? (100 * tick).ToString("0.#", CultureInfo.InvariantCulture) + " %"
        : _isLogarithmic ? tick.ToString("0.######", CultureInfo.InvariantCulture)
        : tick.ToString("0.####", CultureInfo.InvariantCulture);

    private static (double Low, double High) Range(IEnumerable<double> values) =>
        values
            .Where(double.IsFinite)
            .Aggregate(
                (Low: double.PositiveInfinity, High: double.NegativeInfinity),
                (range, value) => (Math.Min(range.Low, value), Math.Max(range.High, value))
            )
            is { Low: not double.PositiveInfinity } found
            ? found
            : (1, 1);

    private static double NiceStep(double step)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        return power
            * (step / power) switch
            {
                <= 1 => 1,
                <= 2 => 2,
                <= 5 => 5,
                _ => 10,
            };
    }
}
