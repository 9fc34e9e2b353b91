using Distributed.Contracts;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Wakes those that hold jobs: what they do may not be needed any more.</summary>
public sealed class JobAlarm
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the alarm is raised the next time.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    /// <summary>Wakes everybody.</summary>
    public void Raise() =>
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
}

/// <summary>
/// Every host hears when a run ends before its time. It is a hint only: what is needed stands in the catalog, where the
/// heartbeat looks also when the event is lost.
/// </summary>
internal sealed class RunEndedConsumer(JobAlarm alarm) : IConsumer<RunCancelled>, IConsumer<RunFailed>
{
    public Task Consume(ConsumeContext<RunCancelled> context)
    {
        alarm.Raise();
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<RunFailed> context)
    {
        alarm.Raise();
        return Task.CompletedTask;
    }
}
