using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Distributed.Catalog;

namespace Distributed.Messaging;

/// <summary>Traces and metrics of jobs and of the runs that they make. Every metric stands in the table of docs/operations.md.</summary>
public static class MessagingTelemetry
{
    /// <summary>Name of the source of activities and of the meter.</summary>
    public const string SourceName = "Distributed.Messaging";

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

    /// <summary>The outcome of a job that waits for a file to be made again.</summary>
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

    private static readonly Counter<long> DeadLetters = Meter.CreateCounter<long>(
        "distributed.message.dead_lettered",
        "{message}",
        "Messages that the broker gave up delivering, by queue and what became of them"
    );

    private static readonly Histogram<double> RunDuration = Meter.CreateHistogram(
        "distributed.run.duration",
        "s",
        "Time from a run's submission to its end, by outcome",
        advice: Seconds(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
    );

    private static readonly Histogram<double> StageDuration = Meter.CreateHistogram(
        "distributed.run.stage.duration",
        "s",
        "Time that completed runs spent in a stage",
        advice: Seconds(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
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

    private static readonly Dictionary<JobKind, string> Kinds = Enum.GetValues<JobKind>()
        .ToDictionary(kind => kind, kind => Snake(kind.ToString()));

    static MessagingTelemetry()
    {
        // From the start at zero, as the first event would show no increase otherwise.
        foreach (var cause in Enum.GetValues<FailureCause>())
        {
            RunFailures.Add(0, new KeyValuePair<string, object?>("error.type", Snake(cause.ToString())));
        }

        FeatureLookups.Add(0, new KeyValuePair<string, object?>("result", "hit"));
        FeatureLookups.Add(0, new KeyValuePair<string, object?>("result", "miss"));
    }

    internal static ActivitySource Source { get; } = new(SourceName);

    /// <summary>Boundaries of a histogram in seconds, close together where what it measures lies.</summary>
    public static InstrumentAdvice<double> Seconds(params double[] boundaries) => new() { HistogramBucketBoundaries = boundaries };

    /// <summary>A kind of job as labels have it: <c>extract_features</c>.</summary>
    public static string NameOf(JobKind kind) => Kinds[kind];

    /// <summary>A name as labels have it: small letters, with underscores between words.</summary>
    public static string Snake(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);

    internal static void RecordJob(JobKind kind, string outcome, TimeSpan duration) =>
        JobDuration.Record(duration.TotalSeconds, new("kind", NameOf(kind)), new("outcome", outcome));

    internal static void RecordWait(JobKind kind, TimeSpan wait) =>
        JobWait.Record(Math.Max(0, wait.TotalSeconds), new KeyValuePair<string, object?>("kind", NameOf(kind)));

    internal static void RecordReclaimed(JobKind kind) => Reclaimed.Add(1, new KeyValuePair<string, object?>("kind", NameOf(kind)));

    internal static void RecordActive(JobKind kind, int change) =>
        ActiveJobs.Add(change, new KeyValuePair<string, object?>("kind", NameOf(kind)));

    internal static void RecordDeadLetter(string queue, string outcome) => DeadLetters.Add(1, new("queue", queue), new("outcome", outcome));

    /// <summary>Records a run that has ended.</summary>
    internal static void RecordEnd(Run run)
    {
        if (Run.SecondsBetween(run.SubmittedAt, run.FinishedAt) is { } total)
        {
            RunDuration.Record(total, new KeyValuePair<string, object?>("outcome", Snake(run.State.ToString())));
        }

        if (run.State == RunState.Failed)
        {
            RunFailures.Add(
                1,
                new KeyValuePair<string, object?>("error.type", run.FailureCause is { } cause ? Snake(cause.ToString()) : "_OTHER")
            );
        }

        if (run.FeatureCacheHit is { } isHit)
        {
            FeatureLookups.Add(1, new KeyValuePair<string, object?>("result", isHit ? "hit" : "miss"));
        }

        if (run.State == RunState.Completed)
        {
            RecordStage(RunState.Submitted, run.SubmittedAt, run.IngestingAt);
            RecordStage(RunState.Ingesting, run.IngestingAt, run.ExtractingAt);
            RecordStage(RunState.Extracting, run.ExtractingAt, run.TrainingAt);
            RecordStage(RunState.Training, run.TrainingAt, run.EvaluatingAt);
            RecordStage(RunState.Evaluating, run.EvaluatingAt, run.FinishedAt);
        }
    }

    /// <summary>Begins the span of an attempt at a job.</summary>
    internal static Activity? StartJob(JobKey job) =>
        Source.StartActivity(
            $"job {NameOf(job.Kind)}",
            ActivityKind.Internal,
            default(ActivityContext),
            [new("distributed.job.kind", NameOf(job.Kind)), new("distributed.job.scope", job.Scope), new("distributed.job.step", job.Step)]
        );

    /// <summary>Says of a span how the attempt ended.</summary>
    internal static void SetOutcome(this Activity? span, string outcome)
    {
        span?.SetTag("distributed.job.outcome", outcome);
        if (outcome is Failed or Retried)
        {
            span?.SetStatus(ActivityStatusCode.Error);
        }
    }

    /// <summary>Continues the trace of a run, wherever the process that sends for it got its own cause from.</summary>
    internal static Activity? ContinueTrace(string name, string? traceParent)
    {
        if (
            !ActivityContext.TryParse(traceParent, traceState: null, isRemote: true, out var run)
            || Activity.Current?.TraceId == run.TraceId
        )
        {
            return null;
        }

        return Source.StartActivity(name, ActivityKind.Internal, run);
    }

    private static void RecordStage(RunState stage, DateTime? from, DateTime? to)
    {
        if (Run.SecondsBetween(from, to) is { } seconds)
        {
            StageDuration.Record(seconds, new KeyValuePair<string, object?>("stage", Snake(stage.ToString())));
        }
    }
}
