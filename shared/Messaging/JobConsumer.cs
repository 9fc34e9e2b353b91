using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>Hands the messages of a stage that MassTransit delivers to the job's life.</summary>
internal sealed class JobConsumer<TJob>(JobWorker worker, JobStages stages, IJobHandler<TJob> handler) : IConsumer<TJob>
    where TJob : class, IJobMessage
{
    public Task Consume(ConsumeContext<TJob> context)
    {
        var stage = stages.For(typeof(TJob).Name);
        var isBulk = context.ReceiveContext.InputAddress.AbsolutePath.EndsWith(
            $"/{stage.QueueFor(RunPriority.Bulk)}",
            StringComparison.Ordinal
        );
        var delivery = new JobDelivery(
            isBulk ? RunPriority.Bulk : RunPriority.Interactive,
            context.ReceiveContext.Redelivered,
            context.SentTime
        );
        return worker.ProcessAsync(context.Message, delivery, handler, context.CancellationToken);
    }
}
