using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;

namespace Distributed.Messaging;

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
