using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Messaging;

/// <summary>Which message and which queue carry a kind of unit.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Queue">Name of the queue of what is interactive, and of the exchange before it.</param>
/// <param name="Resource">What its work uses most: a host does one unit at a time of those that use the same.</param>
/// <param name="MessageType">The message.</param>
/// <param name="CreateMessage">Makes the message from subject and step.</param>
public sealed record UnitRoute(
    UnitKind Kind,
    string Queue,
    string Resource,
    Type MessageType,
    Func<string, int, IUnitMessage> CreateMessage
)
{
    /// <summary>Its queues: quorum queues know no priorities, so there is one for each.</summary>
    public IEnumerable<string> Queues => Enum.GetValues<RunPriority>().Select(QueueFor);

    /// <summary>The queue of a priority.</summary>
    public string QueueFor(RunPriority priority) => priority == RunPriority.Interactive ? Queue : $"{Queue}-bulk";
}

/// <summary>The one table of queues.</summary>
public static class UnitRoutes
{
    /// <summary>Where runs are submitted by message.</summary>
    public const string SubmitRunQueue = "submit-run";

    /// <summary>The resource of jobs that fetch files.</summary>
    public const string Network = "network";

    /// <summary>The resource of jobs that read and decode images.</summary>
    public const string Images = "images";

    /// <summary>The resource of jobs that compute with tensors.</summary>
    public const string Tensors = "tensors";

    /// <summary>All kinds of unit.</summary>
    public static IReadOnlyList<UnitRoute> All { get; } =
    [
        new(UnitKind.IngestDataset, "ingest-dataset", Images, typeof(IngestDataset), (subject, step) => new IngestDataset(subject, step)),
        new(UnitKind.DownloadFile, "download-file", Network, typeof(DownloadFile), (subject, step) => new DownloadFile(subject, step)),
        new(UnitKind.PackImages, "pack-images", Images, typeof(PackImages), (subject, step) => new PackImages(subject, step)),
        new(
            UnitKind.CompleteDataset,
            "complete-dataset",
            Images,
            typeof(CompleteDataset),
            (subject, step) => new CompleteDataset(subject, step)
        ),
        new(
            UnitKind.PlanFeatures,
            "dataset-ingested",
            Tensors,
            typeof(DatasetIngested),
            (subject, step) => new DatasetIngested(subject, step)
        ),
        new(
            UnitKind.ExtractFeatures,
            "extract-features",
            Tensors,
            typeof(ExtractFeatures),
            (subject, step) => new ExtractFeatures(subject, step)
        ),
        new(UnitKind.TrainHead, "train-head", Tensors, typeof(TrainHead), (subject, step) => new TrainHead(subject, step)),
        new(UnitKind.EvaluateHead, "head-trained", Tensors, typeof(HeadTrained), (subject, step) => new HeadTrained(subject, step)),
    ];

    /// <summary>The route of a kind.</summary>
    public static UnitRoute For(UnitKind kind) => All.First(route => route.Kind == kind);

    /// <summary>The route of a message type.</summary>
    public static UnitRoute For<TMessage>()
        where TMessage : IUnitMessage => All.First(route => route.MessageType == typeof(TMessage));
}
