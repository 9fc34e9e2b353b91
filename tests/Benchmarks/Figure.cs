using System.Globalization;
using System.Text.Json;

namespace Distributed.Benchmarks;

/// <summary>One measured figure beside a peer's.</summary>
/// <param name="Name">Name of the row.</param>
/// <param name="Job">Of both figures.</param>
/// <param name="Ours">Median over the rounds.</param>
/// <param name="Peer">The same of the peer, where there is one.</param>
/// <param name="PeerName">What the peer is.</param>
/// <param name="Ratio">Above 1 where we are better, whether more or less is better.</param>
/// <param name="Spread">Interquartile range of our rounds, percent of the median.</param>
internal sealed record Figure(string Name, string Job, double Ours, double? Peer, string? PeerName, double? Ratio, double Spread)
{
    /// <summary>Joins two sides that were measured in turns.</summary>
    public static Figure Of(string name, string job, Measurement ours, Measurement? peer, bool lessIsBetter = false) =>
        new(
            name,
            job,
            ours.Median,
            peer?.Median,
            peer?.Name,
            peer is null ? null
                : lessIsBetter ? peer.Median / ours.Median
                : ours.Median / peer.Median,
            ours.SpreadPercent
        );
}

/// <summary>The rounds of one side.</summary>
internal sealed record Measurement(string Name, IReadOnlyList<double> Rounds)
{
    public double Median => At(0.5);

    public double SpreadPercent => 100 * (At(0.75) - At(0.25)) / Median;

    /// <summary>A quantile.</summary>
    public double At(double part)
    {
        var sorted = Rounds.Order().ToList();
        var at = part * (sorted.Count - 1);
        var lower = (int)at;
        var upper = Math.Min(lower + 1, sorted.Count - 1);
        return sorted[lower] + ((at - lower) * (sorted[upper] - sorted[lower]));
    }
}

internal static class FigureTable
{
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static string Heading => Join("name", "unit", "ours", "peer", "ratio", "spread", "peer name");

    public static string Line(Figure figure) =>
        Join(
            figure.Name,
            figure.Job,
            Number(figure.Ours),
            Number(figure.Peer),
            Number(figure.Ratio, "F2"),
            Number(figure.Spread) + " %",
            figure.PeerName ?? ""
        );

    private static string Join(string name, string job, string ours, string peer, string ratio, string spread, string peerName) =>
        $"{name, -18} {job, -9} {ours, 9} {peer, 9} {ratio, 6} {spread, 8}  {peerName}";

    private static string Number(double? value, string format = "F1") => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";
}
