using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Distributed.TestServers;
using RabbitMQ.Client;

namespace Distributed.Faults;

/// <summary>How it stood at one moment.</summary>
/// <param name="Completed">Runs that are complete, of those that were queued.</param>
/// <param name="Open">Runs that have not ended, before or after the messages were counted: where they are more.</param>
/// <param name="Messages">Messages that wait in all queues of the broker.</param>
/// <param name="DeadLettered">Those of them in queues of messages that nobody could handle.</param>
/// <param name="Resident">Bytes of memory of each host.</param>
/// <param name="Processor">Seconds of a processor that each host has taken so far.</param>
internal sealed record QueueSample(
    long Completed,
    long Open,
    long Messages,
    long DeadLettered,
    IReadOnlyDictionary<string, long> Resident,
    IReadOnlyDictionary<string, double> Processor
);

/// <summary>Looks every few seconds how long the queues are and how much memory the hosts have.</summary>
internal sealed class QueueWatch : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private readonly Cluster _cluster;
    private readonly int _before;
    private readonly HttpClient _management;
    private readonly List<QueueSample> _samples = [];
    private readonly Task _watching;

    /// <param name="cluster">What to look at.</param>
    /// <param name="management">The broker's management API.</param>
    /// <param name="before">How many runs were complete before.</param>
    /// <param name="end">Ends it, after one more look.</param>
    public QueueWatch(Cluster cluster, HttpClient management, int before, CancellationToken end)
    {
        (_cluster, _management, _before) = (cluster, management, before);
        _watching = WatchAsync(end);
    }

    /// <summary>All samples, when it has ended.</summary>
    public async Task<IReadOnlyList<QueueSample>> EndAsync()
    {
        await _watching;
        return _samples;
    }

    public void Dispose() => _management.Dispose();

    private async Task WatchAsync(CancellationToken end)
    {
        await using var connection = await new ConnectionFactory { Uri = _cluster.Broker.Uri }.CreateConnectionAsync(
            CancellationToken.None
        );
        await using var channel = await connection.CreateChannelAsync(cancellationToken: CancellationToken.None);
        using var timer = new PeriodicTimer(Every);
        while (true)
        {
            _samples.Add(await SampleAsync(channel));
            if (end.IsCancellationRequested)
            {
                return;
            }

            try
            {
                await timer.WaitForNextTickAsync(end);
            }
            catch (OperationCanceledException)
            {
                // Once more, for how it stands at the end.
            }
        }
    }

    private async Task<QueueSample> SampleAsync(IChannel channel)
    {
        var (before, _) = await CountRunsAsync();
        var lengths = await CountMessagesAsync(channel);
        var (after, completed) = await CountRunsAsync();
        return new QueueSample(
            completed - _before,
            Math.Max(before, after),
            lengths.Sum(queue => queue.Messages),
            lengths.Where(queue => IsDeadLettered(queue.Name)).Sum(queue => queue.Messages),
            _cluster.Hosts.ToDictionary(host => host.Key, host => Resident(host.Value.Id), StringComparer.Ordinal),
            _cluster.Hosts.ToDictionary(host => host.Key, host => Processor(host.Value.Id), StringComparer.Ordinal)
        );
    }

    private async Task<(long Open, long Completed)> CountRunsAsync() =>
        (
            await _cluster.ReadAsync(
                "select count(*) filter (where finished_at is null), count(*) filter (where state = 'Completed') from runs",
                row => (row.GetInt64(0), row.GetInt64(1))
            )
        ).Single();

    /// <summary>
    /// The queues themselves are asked: what the management API tells of their lengths is some seconds old. No work goes through
    /// those that a host has for itself.
    /// </summary>
    private async Task<IReadOnlyList<(string Name, long Messages)>> CountMessagesAsync(IChannel channel)
    {
        using var queues = JsonDocument.Parse(
            await _management.GetStringAsync($"api/queues/{_cluster.Broker.Name}?columns=name,exclusive")
        );
        var lengths = new List<(string, long)>();
        foreach (
            var name in queues
                .RootElement.EnumerateArray()
                .Where(queue => !queue.GetProperty("exclusive").GetBoolean())
                .Select(queue => queue.GetProperty("name").GetString()!)
        )
        {
            lengths.Add((name, (await channel.QueueDeclarePassiveAsync(name)).MessageCount));
        }

        return lengths;
    }

    private static bool IsDeadLettered(string queue) =>
        queue.EndsWith("-dead-letter", StringComparison.Ordinal)
        || queue.EndsWith("_error", StringComparison.Ordinal)
        || queue.EndsWith("_skipped", StringComparison.Ordinal);

    private static double Processor(int process)
    {
        using var host = Process.GetProcessById(process);
        return host.TotalProcessorTime.TotalSeconds;
    }

    private static long Resident(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
