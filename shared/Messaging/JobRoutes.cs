using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Messaging;

/// <summary>Which message and which queue carry a kind of job.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Queue">Name of the queue of what is interactive, and of the exchange before it.</param>
/// <param name="Resource">What its work uses most: a host does one job at a time of those that use the same.</param>
/// <param name="MessageType">The message.</param>
/// <param name="CreateMessage">Makes the message from scope and step.</param>
public sealed record JobRoute(JobKind Kind, string Queue, string Resource, Type MessageType, Func<string, int, IJobMessage> CreateMessage)
{
    /// <summary>Its queues: quorum queues know no priorities, so there is one for each.</summary>
    public IEnumerable<string> Queues => Enum.GetValues<RunPriority>().Select(QueueFor);

    /// <summary>The queue of a priority.</summary>
    public string QueueFor(RunPriority priority) => priority == RunPriority.Interactive ? Queue : $"{Queue}-bulk";
}

/// <summary>The one table of queues.</summary>
public static class JobRoutes
{
    /// <summary>Where runs are submitted by message.</summary>
    public const string SubmitRunQueue = "submit-run";

    /// <summary>The resource of jobs that fetch files.</summary>
    public const string Network = "network";

    /// <summary>The resource of jobs that read and decode images.</summary>
    public const string Images = "images";

    /// <summary>The resource of jobs that compute with tensors.</summary>
    public const string Tensors = "tensors";

    /// <summary>All kinds of job.</summary>
    public static IReadOnlyList<JobRoute> All { get; } =
    [
        new(JobKind.IngestDataset, "ingest-dataset", Images, typeof(IngestDataset), (scope, step) => new IngestDataset(scope, step)),
        new(JobKind.DownloadFile, "download-file", Network, typeof(DownloadFile), (scope, step) => new DownloadFile(scope, step)),
        new(JobKind.PackImages, "pack-images", Images, typeof(PackImages), (scope, step) => new PackImages(scope, step)),
        new(
            JobKind.CompleteDataset,
            "complete-dataset",
            Images,
            typeof(CompleteDataset),
            (scope, step) => new CompleteDataset(scope, step)
        ),
        new(JobKind.PlanFeatures, "plan-features", Tensors, typeof(PlanFeatures), (scope, step) => new PlanFeatures(scope, step)),
        new(
            JobKind.ExtractFeatures,
            "extract-features",
            Tensors,
            typeof(ExtractFeatures),
            (scope, step) => new ExtractFeatures(scope, step)
        ),
        new(JobKind.TrainHead, "train-head", Tensors, typeof(TrainHead), (scope, step) => new TrainHead(scope, step)),
        new(JobKind.EvaluateHead, "evaluate-head", Tensors, typeof(EvaluateHead), (scope, step) => new EvaluateHead(scope, step)),
    ];

    /// <summary>The route of a kind.</summary>
    public static JobRoute For(JobKind kind) => All.First(route => route.Kind == kind);

    /// <summary>The route of a message type.</summary>
    public static JobRoute For<TMessage>()
        where TMessage : IJobMessage => All.First(route => route.MessageType == typeof(TMessage));
}
