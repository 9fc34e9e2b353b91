using Distributed.Catalog;

namespace Distributed.AdminApi.Events;

/// <summary>The latest events without a gap, each at a number that it keeps. For one caller at a time.</summary>
/// <param name="capacity">Most that are kept.</param>
internal sealed class EventLog(int capacity)
{
    private readonly List<LiveEvent> _events = [];

    /// <summary>The number of the first event that is kept.</summary>
    private long _first;

    /// <summary>The number after that of the last event.</summary>
    public long End => _first + _events.Count;

    /// <summary>The last event; null before there is one.</summary>
    public ChangePosition? Last => _events.Count == 0 ? null : _events[^1].Position;

    /// <summary>Adds what was read of the catalog: a stretch of its events that ends with the latest.</summary>
    /// <remarks>Where it does not go on from the last event, everything before it is forgotten, and all that listen have missed some.</remarks>
    public void Add(IReadOnlyList<LiveEvent> read)
    {
        if (Last is not { } last)
        {
            _events.AddRange(read);
            return;
        }

        if (IndexOf(read, last) is not { } place)
        {
            // A number is left out, so that also who had read to the end learns of it.
            _first = End + 1;
            _events.Clear();
            _events.AddRange(read);
            return;
        }

        var earlier = read.TakeWhile(one => one.Position < _events[0].Position).ToList();
        _events.InsertRange(0, earlier);
        _first -= earlier.Count;
        _events.AddRange(read.Skip(place + 1));
        var surplus = _events.Count - capacity;
        if (surplus > 0)
        {
            _events.RemoveRange(0, surplus);
            _first += surplus;
        }
    }

    /// <summary>The number after that of an event; null where it is not kept.</summary>
    public long? After(ChangePosition position) => IndexOf(_events, position) is { } index ? _first + index + 1 : null;

    /// <summary>The events from a number on; null where some of them are not kept any more.</summary>
    public IReadOnlyList<LiveEvent>? From(long number) => number < _first ? null : _events[(int)(number - _first)..];

    /// <summary>Forgets everything; numbers go on.</summary>
    public void Clear()
    {
        _first = End + 1;
        _events.Clear();
    }

    private static int? IndexOf(IReadOnlyList<LiveEvent> events, ChangePosition position)
    {
        var (low, high) = (0, events.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = events[middle].Position.CompareTo(position);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }
}
