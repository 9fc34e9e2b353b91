using System.Diagnostics.Metrics;

namespace Distributed.Evaluation;

/// <summary>Metrics of evaluations.</summary>
internal static class EvaluationTelemetry
{
    private static readonly Meter Meter = new("Distributed.Evaluation");
    private static readonly Histogram<double> Accuracy = Meter.CreateHistogram(
        "distributed.run.accuracy",
        "1",
        "Test accuracy of completed runs",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99] });

    public static void RecordAccuracy(double accuracy, string dataset, string backbone) =>
        Accuracy.Record(accuracy, new("dataset", dataset), new("backbone", backbone));
}
