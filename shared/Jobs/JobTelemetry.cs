using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;

namespace Distributed.Jobs;

/// <summary>Traces and metrics of jobs. Every metric stands in the table of docs/operations.md.</summary>
public static class JobTelemetry
{
    /// <summary>Name of the source of activities and of the meter.</summary>
    public const string SourceName = "Distributed.Jobs";

    /// <summary>The outcome of a job that was committed.</summary>
    internal const string Completed = "completed";

    /// <summary>The outcome of a job that another worker has taken over.</summary>
    internal const string Lost = "lost";

    /// <summary>The outcome of a job that no run needs any more.</summary>
    internal const string Cancelled = "cancelled";

    /// <summary>The outcome of a job that was given back unharmed.</summary>
    internal const string Released = "released";

    /// <summary>The outcome of a job that failed its runs.</summary>
    internal const string Failed = "failed";

    /// <summary>The outcome of a job that waits for a file to be recomputed.</summary>
    internal const string Blocked = "blocked";

    /// <summary>The outcome of a job that met an unexpected error and is tried again.</summary>
    internal const string Retried = "retried";

    private static readonly Meter Meter = new(SourceName);

    private static readonly Histogram<double> JobDuration = Meter.CreateHistogram(
        "distributed.job.duration",
        "s",
        "Time for which a worker held a job, by kind and outcome",
        advice: Seconds(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
    );

    private static readonly Histogram<double> JobWait = Meter.CreateHistogram(
        "distributed.job.wait",
        "s",
        "Time from sending a job's message until a worker began it, by kind",
        advice: Seconds(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400)
    );

    private static readonly Counter<long> Reclaimed = Meter.CreateCounter<long>(
        "distributed.job.reclaimed",
        "{job}",
        "Jobs taken over from workers that died or fell silent, by kind"
    );
    private static readonly UpDownCounter<long> ActiveJobs = Meter.CreateUpDownCounter<long>(
        "distributed.job.active",
        "{job}",
        "Jobs that are worked on now, by kind"
    );

    private static readonly ConcurrentDictionary<string, string> Kinds = new(StringComparer.Ordinal);

    private static ActivitySource Source { get; } = new(SourceName);

    /// <summary>Boundaries of a histogram in seconds, close together where what it measures lies.</summary>
    public static InstrumentAdvice<double> Seconds(params double[] boundaries) => new() { HistogramBucketBoundaries = boundaries };

    /// <summary>A kind of job as labels have it: <c>extract_features</c>.</summary>
    public static string NameOf(string kind) => Kinds.GetOrAdd(kind, Snake);

    /// <summary>A name as labels have it: small letters, with underscores between words.</summary>
    public static string Snake(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);

    /// <summary>The trace's id in a W3C trace context; null where there is none.</summary>
    public static string? TraceIdOf(string? traceParent) => traceParent?.Split('-') is [_, { Length: 32 } id, ..] ? id : null;

    /// <summary>Continues the trace of a run, whatever activity the process that sends for it is in.</summary>
    /// <param name="name">Name of the span.</param>
    /// <param name="traceParent">The run's W3C trace context; null where it has none.</param>
    /// <returns>The span; null where the activity is in that trace already.</returns>
    public static Activity? ContinueTrace(string name, string? traceParent) =>
        !ActivityContext.TryParse(traceParent, traceState: null, isRemote: true, out var run) || Activity.Current?.TraceId == run.TraceId
            ? null
            : Source.StartActivity(name, ActivityKind.Internal, run);

    internal static void RecordJob(string kind, string outcome, TimeSpan duration) =>
        JobDuration.Record(duration.TotalSeconds, new("kind", NameOf(kind)), new("outcome", outcome));

    internal static void RecordWait(string kind, TimeSpan wait) =>
        JobWait.Record(Math.Max(0, wait.TotalSeconds), new KeyValuePair<string, object?>("kind", NameOf(kind)));

    internal static void RecordReclaimed(string kind) => Reclaimed.Add(1, new KeyValuePair<string, object?>("kind", NameOf(kind)));

    internal static void RecordActive(string kind, int change) =>
        ActiveJobs.Add(change, new KeyValuePair<string, object?>("kind", NameOf(kind)));

    /// <summary>Begins the span of an attempt at a job.</summary>
    internal static Activity? StartJob(JobKey job) =>
        Source.StartActivity(
            $"job {NameOf(job.Kind)}",
            ActivityKind.Internal,
            default(ActivityContext),
            [new("distributed.job.kind", NameOf(job.Kind)), new("distributed.job.scope", job.Scope), new("distributed.job.step", job.Step)]
        );

    /// <summary>Records in a span how the attempt ended.</summary>
    internal static void SetOutcome(this Activity? span, string outcome)
    {
        span?.SetTag("distributed.job.outcome", outcome);
        if (outcome is Failed or Retried)
        {
            span?.SetStatus(ActivityStatusCode.Error);
        }
    }
}
