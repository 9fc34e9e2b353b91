using System.Diagnostics.Metrics;

namespace Distributed.Jobs;

/// <summary>Counts one wait for a database, a broker or a volume while it goes on, and records its length when it is over.</summary>
internal sealed class OutageWait(TimeProvider time) : IDisposable
{
    private static readonly Meter Meter = new(JobTelemetry.SourceName);
    private static readonly UpDownCounter<long> Active = Meter.CreateUpDownCounter<long>(
        "distributed.outage.active",
        "{wait}",
        "Waits for database, broker or volume that go on now, by system"
    );
    private static readonly Histogram<double> Duration = Meter.CreateHistogram(
        "distributed.outage.duration",
        "s",
        "Time that was waited for database, broker or volume, by system",
        advice: JobTelemetry.Seconds(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
    );

    private string? _system;
    private long _since;

    /// <summary>Says what is waited for from now on.</summary>
    public void For(string system)
    {
        if (system == _system)
        {
            return;
        }

        Dispose();
        (_system, _since) = (system, time.GetTimestamp());
        Active.Add(1, new KeyValuePair<string, object?>("system", system));
    }

    /// <summary>Ends the wait, where there was one.</summary>
    public void Dispose()
    {
        if (_system is not { } system)
        {
            return;
        }

        var tag = new KeyValuePair<string, object?>("system", system);
        Active.Add(-1, tag);
        Duration.Record(time.GetElapsedTime(_since).TotalSeconds, tag);
        _system = null;
    }
}
