using Distributed.Contracts;
using Distributed.Jobs;

namespace Distributed.OrderPipeline;

/// <summary>A single job: plan what an order needs.</summary>
public sealed record AcceptOrder(string Scope, int Step) : IJobMessage;

/// <summary>A fan-out: make one part.</summary>
public sealed record MakePart(string Scope, int Step) : IJobMessage;

/// <summary>A fan-in: assemble the parts when all are made.</summary>
public sealed record AssembleParts(string Scope, int Step) : IJobMessage;

/// <summary>A chain of slices: deliver the order, one stretch of the way at a time.</summary>
public sealed record DeliverOrder(string Scope, int Step) : IJobMessage;

/// <summary>A pipeline that has nothing to do with training: it shows what the job engine needs to know of one.</summary>
public static class OrderStages
{
    /// <summary>Parts an order.</summary>
    public const int Parts = 50;

    /// <summary>Slices of a delivery.</summary>
    public const int Stretches = 6;

    private static readonly JobStage Accept = new JobStage<AcceptOrder>((scope, step) => new AcceptOrder(scope, step))
    {
        Resource = "desk",
        Service = "orders",
    };

    private static readonly JobStage Make = new JobStage<MakePart>((scope, step) => new MakePart(scope, step))
    {
        Resource = "bench",
        Service = "orders",
        After = [Accept],
    };

    private static readonly JobStage Assemble = new JobStage<AssembleParts>((scope, step) => new AssembleParts(scope, step))
    {
        Resource = "bench",
        Service = "orders",
        FollowsAllOf = Make,
    };

    private static readonly JobStage Deliver = new JobStage<DeliverOrder>((scope, step) => new DeliverOrder(scope, step))
    {
        Resource = "van",
        Service = "orders",
        FollowsAllOf = Assemble,
        IsChain = true,
    };

    /// <summary>All stages.</summary>
    public static JobStages All { get; } = new([Accept, Make, Assemble, Deliver]);
}
