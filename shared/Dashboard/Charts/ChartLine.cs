namespace Distributed.Dashboard.Charts;

/// <summary>A curve.</summary>
/// <param name="Name">What it shows.</param>
/// <param name="Points">From left to right or right to left.</param>
public sealed record ChartLine(string Name, IReadOnlyList<ChartPoint> Points);

/// <summary>A point of a curve.</summary>
/// <param name="X">To the right.</param>
/// <param name="Y">Upwards.</param>
public sealed record ChartPoint(double X, double Y);
