using System.Diagnostics;
using System.Diagnostics.Metrics;
using Distributed.Catalog;

namespace Distributed.Messaging;

/// <summary>Traces and metrics of units.</summary>
public static class MessagingTelemetry
{
    /// <summary>Name of the source of activities and of the meter.</summary>
    public const string SourceName = "Distributed.Messaging";

    private static readonly Meter Meter = new(SourceName);
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("distributed.unit.duration", "s", "Time a unit of work was held, by kind and outcome");
    private static readonly Histogram<double> Wait = Meter.CreateHistogram<double>("distributed.unit.queue_wait", "s", "Time from sending a unit's message to starting it, by kind");

    private static readonly Counter<long> PutAside = Meter.CreateCounter<long>("distributed.messages.put_aside", "{message}", "Messages that were put aside by the broker, by queue and what became of them");

    internal static ActivitySource Source { get; } = new(SourceName);

    internal static void RecordUnit(UnitKind kind, string outcome, TimeSpan duration) =>
        Duration.Record(duration.TotalSeconds, new("kind", kind.ToString()), new("outcome", outcome));

    internal static void RecordWait(UnitKind kind, TimeSpan wait) =>
        Wait.Record(Math.Max(0, wait.TotalSeconds), new KeyValuePair<string, object?>("kind", kind.ToString()));

    internal static void RecordPutAside(string queue, string outcome) => PutAside.Add(1, new("queue", queue), new("outcome", outcome));

    /// <summary>Continues the trace of a run, wherever the process that sends for it got its own cause from.</summary>
    internal static Activity? ContinueTrace(string name, string? traceParent)
    {
        if (!ActivityContext.TryParse(traceParent, traceState: null, isRemote: true, out var run)
            || Activity.Current?.TraceId == run.TraceId)
        {
            return null;
        }

        return Source.StartActivity(name, ActivityKind.Internal, run);
    }
}
