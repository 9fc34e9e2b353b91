using Distributed.Catalog;
using Distributed.Contracts;
using MassTransit;

namespace Distributed.Messaging;

/// <summary>The base of all consumers of unit messages: it hands the message to the unit's life and leaves the work to the service.</summary>
public abstract class UnitConsumer<TMessage>(UnitWorker worker) : IConsumer<TMessage>, IUnitWork
    where TMessage : class, IUnitMessage
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<TMessage> context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var route = UnitRoutes.For<TMessage>();
        var isBulk = context.ReceiveContext.InputAddress.AbsolutePath.EndsWith(
            $"/{route.QueueFor(RunPriority.Bulk)}",
            StringComparison.Ordinal
        );
        return worker.ProcessAsync(
            new UnitKey(route.Kind, context.Message.Subject, context.Message.Step),
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
    public abstract Task<UnitWrite> ExecuteAsync(UnitLease lease, CancellationToken cancellationToken);

    /// <inheritdoc />
    public virtual Task<IReadOnlyList<string>> FollowUpAsync(UnitKey unit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unit);
        return Task.FromResult<IReadOnlyList<string>>([unit.Subject]);
    }
}
