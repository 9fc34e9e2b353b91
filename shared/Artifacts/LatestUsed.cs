namespace Distributed.Artifacts;

/// <summary>Keeps what was used last. What several ask for at once is loaded once; an error is kept for nobody.</summary>
/// <param name="most">How many to keep.</param>
/// <param name="discard">Ends what is no longer kept; null where there is nothing to end.</param>
public sealed class LatestUsed<TKey, TValue>(int most, Action<TValue>? discard = null)
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, Entry> _entries = [];
    private long _clock;

    /// <summary>Finds a value, or loads it.</summary>
    /// <param name="key">What it is known by.</param>
    /// <param name="load">Loads it; called for one of those who ask at once.</param>
    /// <param name="cancellationToken">Stops waiting; the loading goes on, for others.</param>
    public async Task<TValue> GetAsync(TKey key, Func<CancellationToken, Task<TValue>> load, CancellationToken cancellationToken)
    {
        Entry entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out entry!))
            {
                // Not with the token of who asked first: others wait for the same.
                entry = new Entry(new Lazy<Task<TValue>>(() => Task.Run(() => load(CancellationToken.None))));
                _entries.Add(key, entry);
                RemoveOldest();
            }

            entry.UsedAt = ++_clock;
        }

        try
        {
            return await entry.Value.Value.WaitAsync(cancellationToken);
        }
        catch when (entry.Value.Value.IsFaulted)
        {
            lock (_lock)
            {
                if (_entries.GetValueOrDefault(key) == entry)
                {
                    _entries.Remove(key);
                }
            }

            throw;
        }
    }

    private void RemoveOldest()
    {
        while (_entries.Count > most)
        {
            var (key, oldest) = _entries.MinBy(pair => pair.Value.UsedAt);
            _entries.Remove(key);
            if (discard is not null && oldest.Value is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            {
                discard(oldest.Value.Value.Result);
            }
        }
    }

    private sealed class Entry(Lazy<Task<TValue>> value)
    {
        public Lazy<Task<TValue>> Value { get; } = value;

        public long UsedAt { get; set; } = long.MaxValue;
    }
}
