using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.OrderPipeline;

/// <summary>What jobs are done for. Table <c>orders</c>.</summary>
public sealed class Order
{
    public required Guid Id { get; init; }

    public required string Scope { get; init; }

    public required DateTime SubmittedAt { get; init; }

    public bool IsOpen { get; set; } = true;

    public string? Failure { get; set; }
}

/// <summary>A job was committed: one row for each time that happened. Table <c>deeds</c>.</summary>
public sealed class Deed
{
    public long Id { get; init; }

    public required string Kind { get; init; }

    public required string Scope { get; init; }

    public required int Step { get; init; }

    public required string Worker { get; init; }
}

/// <summary>The database of the pipeline.</summary>
public sealed class OrderContext(DbContextOptions<OrderContext> options) : JobsContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Deed> Deeds => Set<Deed>();

    public override IQueryable<JobDemand> OpenDemands =>
        Orders
            .Where(order => order.IsOpen)
            .Select(order => new JobDemand
            {
                RunId = order.Id,
                Scope = order.Scope,
                Priority = RunPriority.Interactive,
                SubmittedAt = order.SubmittedAt,
            });

    /// <summary>Enters an order and plans its first job.</summary>
    public async Task<Order> SubmitAsync(CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid();
        var order = new Order
        {
            Id = id,
            Scope = JobKey.ScopeOf(id),
            SubmittedAt = DateTime.UtcNow,
        };
        Orders.Add(order);
        this.PlanJobs(nameof(AcceptOrder), order.Scope, [0], traceParent: null, DateTime.UtcNow);
        await SaveChangesAsync(cancellationToken);
        return order;
    }

    public override Task FailRunsAsync(string scope, JobFailure failure, DateTime now, CancellationToken cancellationToken) =>
        Orders
            .Where(order => order.Scope == scope && order.IsOpen)
            .ExecuteUpdateAsync(
                order => order.SetProperty(o => o.IsOpen, valueExpression: false).SetProperty(o => o.Failure, failure.Reason),
                cancellationToken
            );
}
