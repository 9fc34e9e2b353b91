using System.Collections.Concurrent;
using System.Diagnostics;
using Distributed.TestServers;

namespace Distributed.Faults;

/// <summary>What a row has to work with, and where it counts what came of it.</summary>
internal sealed class FaultLab(
    string row,
    RestartableServers servers,
    Workload workload,
    Publication publication,
    int seed,
    TimeSpan length,
    int queued,
    string? logs
)
{
    private readonly Lock _lock = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Random _random = new(seed);
    private readonly ConcurrentQueue<string> _notes = [];

    /// <summary>Broker and database, which a row may restart: rows run one after the other.</summary>
    public RestartableServers Servers => servers;

    /// <summary>Data sets and runs.</summary>
    public Workload Workload => workload;

    /// <summary>Services as they are published.</summary>
    public Publication Publication => publication;

    /// <summary>How long faults go on where a row is bounded by time.</summary>
    public TimeSpan Length => length;

    /// <summary>How many runs are queued where a row is about their number.</summary>
    public int Queued => queued;

    /// <summary>Since the row began.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>Faults injected so far.</summary>
    public int Injected { get; private set; }

    /// <summary>Runs that were to come to their end under faults.</summary>
    public int Runs { get; private set; }

    /// <summary>Runs that did not come to the end that they should have.</summary>
    public int Lost { get; private set; }

    /// <summary>Work that was counted more than once, or a late write that was taken.</summary>
    public int Doubled { get; private set; }

    /// <summary>Results that differ from an undisturbed run's, files that are not what the catalog says, and other things that must not be.</summary>
    public int Wrong { get; private set; }

    /// <summary>What happened that may happen, and that whoever reads the table should know.</summary>
    public IReadOnlyCollection<string> Notes => _notes;

    /// <summary>Starts all hosts on these servers, over a catalog and a volume of their own.</summary>
    public Task<Cluster> StartClusterAsync(
        IReadOnlyDictionary<string, string?> settings,
        Func<Cluster, Task>? prepare = null,
        string? volume = null
    ) => Cluster.StartAsync(settings, prepare, volume, servers.Addresses, logs is null ? null : Path.Combine(logs, row));

    /// <summary>A whole number from 0 below a bound, decided by the seed.</summary>
    public int Next(int bound)
    {
        lock (_lock)
        {
            return _random.Next(bound);
        }
    }

    /// <summary>A line of progress.</summary>
    public void Say(string text) => Console.WriteLine(FormattableString.Invariant($"  {row} {Elapsed.TotalSeconds, 5:F0} s: {text}"));

    /// <summary>Counts faults.</summary>
    public void Inject(int count = 1)
    {
        lock (_lock)
        {
            Injected += count;
        }
    }

    /// <summary>Counts runs that are to come to their end.</summary>
    public void Expect(int count)
    {
        lock (_lock)
        {
            Runs += count;
        }
    }

    public void CountLost(string what) => Count(() => Lost++, "LOST", what);

    public void CountDoubled(string what) => Count(() => Doubled++, "DOUBLED", what);

    public void CountWrong(string what) => Count(() => Wrong++, "WRONG", what);

    /// <summary>Tells of something that may happen, now and in the table.</summary>
    public void Note(string what)
    {
        _notes.Enqueue(what);
        Say(what);
    }

    /// <summary>Counts something that must hold and does not.</summary>
    public void Check(bool holds, string what)
    {
        if (!holds)
        {
            CountWrong(what);
        }
    }

    private void Count(Action count, string kind, string what)
    {
        lock (_lock)
        {
            count();
        }

        Say($"{kind}: {what}");
    }
}
