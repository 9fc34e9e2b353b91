using System.Diagnostics.Metrics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;

namespace Distributed.Messaging;

/// <summary>Metrics of runs that end and of messages that the broker could not deliver. Every metric stands in the table of docs/operations.md.</summary>
public static class MessagingTelemetry
{
    /// <summary>Name of the meter.</summary>
    public const string SourceName = "Distributed.Messaging";

    private static readonly Meter Meter = new(SourceName);

    private static readonly Counter<long> DeadLetters = Meter.CreateCounter<long>(
        "distributed.message.dead_lettered",
        "{message}",
        "Messages that the broker gave up delivering, by queue and what became of them"
    );

    private static readonly Histogram<double> RunDuration = Meter.CreateHistogram(
        "distributed.run.duration",
        "s",
        "Time from a run's submission to its end, by outcome",
        advice: JobTelemetry.Seconds(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
    );

    private static readonly Histogram<double> StageDuration = Meter.CreateHistogram(
        "distributed.run.stage.duration",
        "s",
        "Time that completed runs spent in a stage",
        advice: JobTelemetry.Seconds(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
    );

    private static readonly Counter<long> RunFailures = Meter.CreateCounter<long>(
        "distributed.run.failures",
        "{run}",
        "Runs that failed, by cause"
    );

    private static readonly Counter<long> FeatureLookups = Meter.CreateCounter<long>(
        "distributed.feature_set.lookups",
        "{run}",
        "Runs that have ended, by whether all their features were there when they were planned: hit or miss"
    );

    static MessagingTelemetry()
    {
        // From the start at zero, as the first event would show no increase otherwise.
        foreach (var cause in Enum.GetValues<FailureCause>())
        {
            RunFailures.Add(0, new KeyValuePair<string, object?>("error.type", JobTelemetry.Snake(cause.ToString())));
        }

        FeatureLookups.Add(0, new KeyValuePair<string, object?>("result", "hit"));
        FeatureLookups.Add(0, new KeyValuePair<string, object?>("result", "miss"));
    }

    internal static void RecordDeadLetter(string queue, string outcome) => DeadLetters.Add(1, new("queue", queue), new("outcome", outcome));

    /// <summary>Records a run that has ended.</summary>
    internal static void RecordEnd(Run run)
    {
        if (Run.SecondsBetween(run.SubmittedAt, run.FinishedAt) is { } total)
        {
            RunDuration.Record(total, new KeyValuePair<string, object?>("outcome", JobTelemetry.Snake(run.State.ToString())));
        }

        if (run.State == RunState.Failed)
        {
            RunFailures.Add(
                1,
                new KeyValuePair<string, object?>(
                    "error.type",
                    run.FailureCause is { } cause ? JobTelemetry.Snake(cause.ToString()) : "_OTHER"
                )
            );
        }

        if (run.FeatureCacheHit is { } isHit)
        {
            FeatureLookups.Add(1, new KeyValuePair<string, object?>("result", isHit ? "hit" : "miss"));
        }

        if (run.State == RunState.Completed)
        {
            // Runs that train and runs that predict go through different states.
            var entered = RunStates.Entered.Where(entry => entry.At(run) is not null).ToList();
            for (var i = 0; i < entered.Count; i++)
            {
                RecordStage(entered[i].State, entered[i].At(run), i + 1 < entered.Count ? entered[i + 1].At(run) : run.FinishedAt);
            }
        }
    }

    private static void RecordStage(RunState stage, DateTime? from, DateTime? to)
    {
        if (Run.SecondsBetween(from, to) is { } seconds)
        {
            StageDuration.Record(seconds, new KeyValuePair<string, object?>("stage", JobTelemetry.Snake(stage.ToString())));
        }
    }
}
