namespace Distributed.Evaluation.Reporting;

/// <summary>A linear axis with ticks at round values.</summary>
internal sealed record ChartScale(double Minimum, double Maximum, IReadOnlyList<double> Ticks, int Decimals)
{
    /// <summary>An axis over the values with about so many ticks; it begins and ends at a tick.</summary>
    public static ChartScale Cover(double minimum, double maximum, int ticks)
    {
        // Beyond this range the differences below are no longer numbers, and no chart could show anything.
        minimum = Math.Clamp(minimum, -1e100, 1e100);
        maximum = Math.Clamp(maximum, -1e100, 1e100);
        if (maximum - minimum < Math.Max(1e-9, Math.Abs(maximum) * 1e-9))
        {
            maximum = minimum + (Math.Abs(minimum) > 1 ? Math.Abs(minimum) * 0.1 : 0.1);
        }

        var step = NiceStep((maximum - minimum) / ticks);
        var first = (long)Math.Floor((minimum / step) + 1e-9);
        var last = (long)Math.Ceiling((maximum / step) - 1e-9);
        var decimals = Math.Clamp((int)-Math.Floor(Math.Log10(step) + 1e-9), 0, 12);
        // A step of 2.5 needs one digit more than its power of ten has.
        if (Math.Abs(Math.Round(step, decimals) - step) > step * 1e-6)
        {
            decimals++;
        }

        var count = (int)(last - first) + 1;
        return new ChartScale(first * step, last * step, [.. Enumerable.Range(0, count).Select(index => (first + index) * step)], decimals);
    }

    /// <summary>Epochs to label: whole numbers, the first epoch among them where there is room.</summary>
    public static IReadOnlyList<int> EpochTicks(int first, int last, int ticks)
    {
        var step = (int)Math.Max(1, NiceStep((last - first) / (double)ticks));
        var found = new List<int>();
        for (var epoch = (first + step - 1) / step * step; epoch <= last; epoch += step)
        {
            found.Add(epoch);
        }

        if (found.Count == 0 || found[0] - first >= step / 2.0)
        {
            found.Insert(0, first);
        }

        return found;
    }

    /// <summary>Where a value lies between the ends: 0 to 1.</summary>
    public double Position(double value) => Math.Clamp((value - Minimum) / (Maximum - Minimum), 0, 1);

    private static double NiceStep(double least)
    {
        if (!(least > 0))
        {
            return 1;
        }

        var power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return (least / power) switch
        {
            <= 1.000001 => power,
            <= 2.000001 => 2 * power,
            <= 5.000001 => 5 * power,
            _ => 10 * power,
        };
    }
}
