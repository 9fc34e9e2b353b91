using Distributed.Catalog;
using Distributed.Contracts;

namespace Distributed.Messaging;

/// <summary>Which message and which queue carry a kind of unit.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Queue">Name of the queue, and of the exchange before it.</param>
/// <param name="MessageType">The message.</param>
/// <param name="CreateMessage">Makes the message from subject and step.</param>
public sealed record UnitRoute(UnitKind Kind, string Queue, Type MessageType, Func<string, int, IUnitMessage> CreateMessage);

/// <summary>The one table of queues.</summary>
public static class UnitRoutes
{
    /// <summary>Where runs are submitted by message.</summary>
    public const string SubmitRunQueue = "submit-run";

    /// <summary>All kinds of unit.</summary>
    public static IReadOnlyList<UnitRoute> All { get; } =
    [
        new(UnitKind.IngestDataset, "ingest-dataset", typeof(IngestDataset), (subject, step) => new IngestDataset(subject, step)),
        new(UnitKind.DownloadFile, "download-file", typeof(DownloadFile), (subject, step) => new DownloadFile(subject, step)),
        new(UnitKind.PackImages, "pack-images", typeof(PackImages), (subject, step) => new PackImages(subject, step)),
        new(UnitKind.CompleteDataset, "complete-dataset", typeof(CompleteDataset), (subject, step) => new CompleteDataset(subject, step)),
        new(UnitKind.PlanFeatures, "dataset-ingested", typeof(DatasetIngested), (subject, step) => new DatasetIngested(subject, step)),
        new(UnitKind.ExtractFeatures, "extract-features", typeof(ExtractFeatures), (subject, step) => new ExtractFeatures(subject, step)),
        new(UnitKind.TrainHead, "train-head", typeof(TrainHead), (subject, step) => new TrainHead(subject, step)),
        new(UnitKind.EvaluateHead, "head-trained", typeof(HeadTrained), (subject, step) => new HeadTrained(subject, step)),
    ];

    /// <summary>The route of a kind.</summary>
    public static UnitRoute For(UnitKind kind) => All.First(route => route.Kind == kind);

    /// <summary>The route of a message type.</summary>
    public static UnitRoute For<TMessage>()
        where TMessage : IUnitMessage => All.First(route => route.MessageType == typeof(TMessage));
}
