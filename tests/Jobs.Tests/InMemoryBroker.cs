using System.Collections.Concurrent;
using System.Threading.Channels;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.OrderPipeline;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Jobs.Tests;

/// <summary>
/// A broker of a few lines: one queue a stage, messages delivered at least once. What a killed host held is delivered again, and
/// some messages are delivered twice without need.
/// </summary>
internal sealed class InMemoryBroker : IJobTransport, IQueueInspector
{
    private readonly ConcurrentDictionary<string, Channel<Message>> _queues = new(StringComparer.Ordinal);
    private int _sent;

    /// <summary>Every how many messages one is sent twice.</summary>
    public int DuplicateEvery { get; init; } = 7;

    public Task Ready => Task.CompletedTask;

    public Task SendAsync(JobStage stage, IJobMessage message, RunPriority priority, CancellationToken cancellationToken)
    {
        var copies = Interlocked.Increment(ref _sent) % DuplicateEvery == 0 ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            Queue(stage.Kind).Writer.TryWrite(new Message(message, IsRedelivered: false));
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, QueueStatistics>> InspectAsync(
        IReadOnlyCollection<string> queues,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<string, QueueStatistics>>(
            queues.ToDictionary(queue => queue, _ => new QueueStatistics(Ready: 0, Consumers: 1), StringComparer.Ordinal)
        );

    /// <summary>Delivers the messages of a stage to a host, one at a time, until the host is killed.</summary>
    public async Task DeliverAsync<TJob>(IServiceProvider host, Power power)
        where TJob : class, IJobMessage
    {
        var queue = Queue(typeof(TJob).Name);
        while (power.IsOn)
        {
            Message message;
            try
            {
                message = await queue.Reader.ReadAsync(power.Off);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            var handling = HandleAsync<TJob>(host, message, power);
            await Task.WhenAny(handling, power.WhenOff);
            if (!handling.IsCompletedSuccessfully || !power.IsOn)
            {
                // Nobody acknowledged it.
                queue.Writer.TryWrite(message with { IsRedelivered = true });
            }
        }
    }

    private static async Task HandleAsync<TJob>(IServiceProvider host, Message message, Power power)
        where TJob : class, IJobMessage
    {
        var worker = host.GetRequiredService<JobWorker>();
        var delivery = new JobDelivery(RunPriority.Interactive, message.IsRedelivered, SentAt: null);
        await worker.ProcessAsync((TJob)message.Job, delivery, host.GetRequiredService<IJobHandler<TJob>>(), power.Off);
    }

    private Channel<Message> Queue(string kind) => _queues.GetOrAdd(kind, _ => Channel.CreateUnbounded<Message>());

    private sealed record Message(IJobMessage Job, bool IsRedelivered);
}

/// <summary>The power of a host: when it goes, the host does nothing more, least of all tidy up.</summary>
internal sealed class Power : IDisposable
{
    private readonly CancellationTokenSource _off = new();
    private readonly TaskCompletionSource _whenOff = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsOn => !_off.IsCancellationRequested;

    public CancellationToken Off => _off.Token;

    public Task WhenOff => _whenOff.Task;

    public async Task CutAsync()
    {
        await _off.CancelAsync();
        _whenOff.TrySetResult();
    }

    public void Dispose() => _off.Dispose();
}
