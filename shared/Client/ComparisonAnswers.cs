using System.Text.Json;

namespace Distributed.Client;

/// <summary>Runs beside each other. Lists of values are in the order of the runs.</summary>
/// <param name="Runs">The runs.</param>
/// <param name="Settings">The settings in which they differ.</param>
/// <param name="Metrics">Their figures.</param>
/// <param name="Test">Of two runs on the same test images: whether they differ by more than chance.</param>
/// <param name="NoTest">Why there is no such test; null where there is one.</param>
public sealed record RunComparison(
    IReadOnlyList<RunSummary> Runs,
    IReadOnlyList<ComparedSetting> Settings,
    IReadOnlyList<ComparedMetric> Metrics,
    PairedTest? Test,
    string? NoTest
);

/// <summary>A setting in which runs differ.</summary>
/// <param name="Field">Its path in a specification.</param>
/// <param name="Values">Its value in each run.</param>
public sealed record ComparedSetting(string Field, IReadOnlyList<JsonElement> Values);

/// <summary>A figure of several runs.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Values">The figure of each run, null for those that have none.</param>
public sealed record ComparedMetric(string Name, IReadOnlyList<ComparedFigure?> Values);

/// <summary>A figure.</summary>
/// <param name="Value">The figure.</param>
/// <param name="Low">Lower end of its 95 % interval, where it has one.</param>
/// <param name="High">Upper end of it.</param>
public sealed record ComparedFigure(double Value, double? Low, double? High);

/// <summary>McNemar's exact test of two runs on the same test images.</summary>
/// <param name="Images">Test images.</param>
/// <param name="FirstRight">Those that the first run has right.</param>
/// <param name="SecondRight">Those that the second has right.</param>
/// <param name="FirstOnly">Those that the first alone has right.</param>
/// <param name="SecondOnly">Those that the second alone has right.</param>
/// <param name="PValue">How often runs that do equally well differ at least as much; 0 to 1.</param>
public sealed record PairedTest(int Images, int FirstRight, int SecondRight, int FirstOnly, int SecondOnly, double PValue);

/// <summary>A test image that one run has right and the other wrong.</summary>
/// <param name="Name">Its name in the first run's data set.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="Actual">Its class.</param>
/// <param name="First">What the first run made of it.</param>
/// <param name="Second">What the second did.</param>
public sealed record Disagreement(string Name, string Sha256, string Actual, Judgement First, Judgement Second);

/// <summary>What a run made of an image.</summary>
/// <param name="Predicted">The class that was named.</param>
/// <param name="Probability">Its probability; 0 to 1.</param>
/// <param name="IsRight">Whether it is the image's own.</param>
public sealed record Judgement(string Predicted, double Probability, bool IsRight);
