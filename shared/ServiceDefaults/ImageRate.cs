using System.Collections.Frozen;
using System.Diagnostics.Metrics;

namespace Distributed.ServiceDefaults;

/// <summary>Images a second that this process did of late, from the counters that its metrics come from.</summary>
/// <remarks><see cref="Read"/> is for one caller at a time.</remarks>
internal sealed class ImageRate : IDisposable
{
    /// <summary>Over so many readings: work comes in jobs of seconds, and the time between two may see none end.</summary>
    private const int Readings = 6;

    private static readonly FrozenSet<string> Counters = FrozenSet.Create(
        StringComparer.Ordinal,
        "distributed.ingestion.images",
        "distributed.extraction.images"
    );

    private readonly MeterListener _listener = new();
    private readonly Queue<(long At, long Images)> _readings = new();
    private readonly TimeProvider _time;
    private long _images;

    public ImageRate(TimeProvider time)
    {
        _time = time;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (Counters.Contains(instrument.Name))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, images, _, _) => Interlocked.Add(ref _images, images));
        _listener.Start();
        _readings.Enqueue((time.GetTimestamp(), 0));
    }

    /// <summary>Images a second since the reading <see cref="Readings"/> before.</summary>
    public double Read()
    {
        var images = Interlocked.Read(ref _images);
        var (at, before) = _readings.Count > Readings ? _readings.Dequeue() : _readings.Peek();
        var seconds = _time.GetElapsedTime(at).TotalSeconds;
        _readings.Enqueue((_time.GetTimestamp(), images));
        return seconds > 0 ? (images - before) / seconds : 0;
    }

    public void Dispose() => _listener.Dispose();
}
