using System.Globalization;
using Distributed.Jobs;

namespace Distributed.Evaluation.Reporting;

/// <summary>How figures are written: the same in every culture, and never rounder than they are.</summary>
internal static class Figures
{
    /// <summary>What stands where there is no figure.</summary>
    public const string Missing = "–";

    private const string Job = "\u00A0%";

    /// <summary>A share of one as a percentage.</summary>
    public static string Percent(double? share, int decimals = 1) =>
        share is { } value && double.IsFinite(value) ? PercentNumber(value, decimals) + Job : Missing;

    /// <summary>A share of one as the number of a percentage; what is almost all or almost nothing is not rounded to all or nothing.</summary>
    public static string PercentNumber(double share, int decimals = 1)
    {
        var percent = Math.Round(share * 100, decimals, MidpointRounding.AwayFromZero);
        var least = Math.Pow(10, -decimals);
        if (share < 1 && percent >= 100)
        {
            return "> " + Fixed(100 - least, decimals);
        }

        return share > 0 && percent <= 0 ? "< " + Fixed(least, decimals) : Fixed(percent, decimals);
    }

    /// <summary>Decimals of a percentage that so many images can tell apart.</summary>
    public static int DecimalsFor(int images) => images < 10_000 ? 1 : 2;

    public static string Fixed(double? value, int decimals) =>
        value is { } number && double.IsFinite(number) ? number.ToString("F" + decimals, CultureInfo.InvariantCulture) : Missing;

    /// <summary>A loss: three decimals, and an exponent where those say nothing.</summary>
    public static string Loss(double? value) =>
        value switch
        {
            not { } => Missing,
            var loss when !double.IsFinite(loss.Value) => Missing,
            >= 10_000 => value.Value.ToString("0.##e0", CultureInfo.InvariantCulture),
            > 0 and < 0.001 => value.Value.ToString("0.##e0", CultureInfo.InvariantCulture),
            _ => Fixed(value, 3),
        };

    public static string Rate(double value) =>
        !double.IsFinite(value) ? Missing
        : value is > 0 and < 0.001 ? value.ToString("0.###e0", CultureInfo.InvariantCulture)
        : value.ToString("0.######", CultureInfo.InvariantCulture);

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count with its noun.</summary>
    public static string Count(long count, string one, string many) => $"{Count(count)} {(count == 1 ? one : many)}";

    /// <summary>A duration in the two largest units that say something.</summary>
    public static string Seconds(double? seconds)
    {
        if (seconds is not { } value || !double.IsFinite(value) || value < 0)
        {
            return Missing;
        }

        if (value < 59.95)
        {
            return Fixed(value, value < 9.995 ? 2 : 1) + "\u00A0s";
        }

        var whole = (long)Math.Round(value, MidpointRounding.AwayFromZero);
        return whole < 3600
            ? $"{whole / 60}\u00A0min {whole % 60:00}\u00A0s"
            : $"{Count(whole / 3600)}\u00A0h {whole % 3600 / 60:00}\u00A0min";
    }
}
