using Distributed.Jobs;

namespace Distributed.OrderPipeline;

/// <summary>Plans the parts.</summary>
public sealed class AcceptOrderHandler : IJobHandler<AcceptOrder>
{
    public Task<JobWrite> ExecuteAsync(AcceptOrder job, JobLease lease, CancellationToken cancellationToken) =>
        Task.FromResult(
            OrderWrite.Of(
                lease,
                context =>
                    context.PlanJobs(
                        nameof(MakePart),
                        job.Scope,
                        Enumerable.Range(0, OrderStages.Parts),
                        lease.TraceParent,
                        DateTime.UtcNow
                    )
            )
        );
}

/// <summary>Works for a moment.</summary>
public sealed class MakePartHandler : IJobHandler<MakePart>
{
    public async Task<JobWrite> ExecuteAsync(MakePart job, JobLease lease, CancellationToken cancellationToken)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(20)), cancellationToken);
        return OrderWrite.Of(lease);
    }
}

/// <summary>Only says that it was there.</summary>
public sealed class AssemblePartsHandler : IJobHandler<AssembleParts>
{
    public Task<JobWrite> ExecuteAsync(AssembleParts job, JobLease lease, CancellationToken cancellationToken) =>
        Task.FromResult(OrderWrite.Of(lease));
}

/// <summary>Plans the next stretch, or closes the order after the last.</summary>
public sealed class DeliverOrderHandler : IJobHandler<DeliverOrder>
{
    public Task<JobWrite> ExecuteAsync(DeliverOrder job, JobLease lease, CancellationToken cancellationToken) =>
        Task.FromResult(
            OrderWrite.Of(
                lease,
                context =>
                {
                    if (job.Step + 1 < OrderStages.Stretches)
                    {
                        context.PlanNextSlice(lease, DateTime.UtcNow);
                    }
                    else
                    {
                        context.Orders.Single(order => order.Id == lease.RunId).IsOpen = false;
                    }
                }
            )
        );
}

internal static class OrderWrite
{
    /// <summary>Enters that the job was committed, once for each time, and what else a handler writes.</summary>
    public static JobWrite Of(JobLease lease, Action<OrderContext>? write = null) =>
        JobWrite.To<OrderContext>(
            (context, _) =>
            {
                context.Deeds.Add(
                    new Deed
                    {
                        Kind = lease.Job.Kind,
                        Scope = lease.Job.Scope,
                        Step = lease.Job.Step,
                        Worker = JobWorker.Name,
                    }
                );
                write?.Invoke(context);
                return Task.CompletedTask;
            }
        );
}
