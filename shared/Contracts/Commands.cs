using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>
/// Asks for a run. May be published by anyone as plain JSON to the exchange <c>submit-run</c>; the sender chooses
/// <paramref name="RunId"/>, and sending the same one again changes nothing.
/// </summary>
/// <param name="RunId">The run's identity and the idempotency key.</param>
/// <param name="Specification">A <see cref="RunSpecification"/> as JSON, kept as text so that a wrong one can be answered field by field.</param>
public sealed record SubmitRun(Guid RunId, JsonElement Specification);

/// <summary>
/// A message that asks for one short unit of work. It carries no state: what there is to do stands in the catalog, under
/// the unit's kind (the message's type), subject and step.
/// </summary>
public interface IUnitMessage
{
    /// <summary>What the unit belongs to: a run's id, or the key of a download, an ingestion or a feature set.</summary>
    string Subject { get; }

    /// <summary>Position within the subject: slice, range or shard; from 0.</summary>
    int Step { get; }
}

/// <summary>Ingestion: find a run's data set and weights, and start what must be fetched or packed. Subject: run.</summary>
public sealed record IngestDataset(string Subject, int Step) : IUnitMessage;

/// <summary>Ingestion: fetch the next slice of a file from its URL. Subject: download.</summary>
public sealed record DownloadFile(string Subject, int Step) : IUnitMessage;

/// <summary>Ingestion: decode, resize and pack one range of images. Subject: ingestion.</summary>
public sealed record PackImages(string Subject, int Step) : IUnitMessage;

/// <summary>Ingestion: write the manifest of a data set whose images are all packed. Subject: ingestion.</summary>
public sealed record CompleteDataset(string Subject, int Step) : IUnitMessage;

/// <summary>From Ingestion to Training: a run's data set is there; plan its features. Subject: run.</summary>
public sealed record DatasetIngested(string Subject, int Step) : IUnitMessage;

/// <summary>Training: compute one shard of features. Subject: feature set.</summary>
public sealed record ExtractFeatures(string Subject, int Step) : IUnitMessage;

/// <summary>Training: train a head for one slice of time. Subject: run.</summary>
public sealed record TrainHead(string Subject, int Step) : IUnitMessage;

/// <summary>From Training to Evaluation: a run's head is trained; evaluate it. Subject: run.</summary>
public sealed record HeadTrained(string Subject, int Step) : IUnitMessage;
