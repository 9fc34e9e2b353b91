using Distributed.Catalog;
using Distributed.Contracts;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>The base of all consumers of job messages: it hands the message to the job's life and leaves the work to the service.</summary>
public abstract class JobConsumer<TMessage>(JobWorker worker) : IConsumer<TMessage>, IJobHandler
    where TMessage : class, IJobMessage
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<TMessage> context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var route = JobRoutes.For<TMessage>();
        var isBulk = context.ReceiveContext.InputAddress.AbsolutePath.EndsWith(
            $"/{route.QueueFor(RunPriority.Bulk)}",
            StringComparison.Ordinal
        );
        return worker.ProcessAsync(
            new JobKey(route.Kind, context.Message.Scope, context.Message.Step),
            isBulk ? RunPriority.Bulk : RunPriority.Interactive,
            context.ReceiveContext.Redelivered,
            context.SentTime,
            this,
            context.CancellationToken
        );
    }

    /// <inheritdoc />
    public virtual TimeSpan Grace => TimeSpan.Zero;

    /// <inheritdoc />
    public abstract Task<JobWrite> ExecuteAsync(JobLease lease, CancellationToken cancellationToken);

    /// <inheritdoc />
    public virtual Task<IReadOnlyList<string>> FollowUpAsync(JobKey job, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        return Task.FromResult<IReadOnlyList<string>>([job.Scope]);
    }
}
