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
/// A message that asks for one short job. It carries no state: what there is to do stands in the catalog, under
/// the job's kind (the message's type), scope and step.
/// </summary>
public interface IJobMessage
{
    /// <summary>What the job belongs to: a run's id, one of its trials, or the key of a download, an ingestion or a feature set.</summary>
    string Scope { get; }

    /// <summary>Position within the scope: slice, range or shard; from 0.</summary>
    int Step { get; }
}

/// <summary>Ingestion: find a run's data set and weights, and start what must be fetched or packed. Scope: run.</summary>
public sealed record IngestDataset(string Scope, int Step) : IJobMessage;

/// <summary>Ingestion: fetch the next slice of a file from its URL. Scope: download.</summary>
public sealed record DownloadFile(string Scope, int Step) : IJobMessage;

/// <summary>Ingestion: decode, resize and pack one range of images. Scope: ingestion.</summary>
public sealed record PackImages(string Scope, int Step) : IJobMessage;

/// <summary>Ingestion: write the manifest of a data set whose images are all packed. Scope: ingestion.</summary>
public sealed record CompleteDataset(string Scope, int Step) : IJobMessage;

/// <summary>From Ingestion to Training: a run's data set is there; compare the next of its candidate bases. Scope: run.</summary>
public sealed record CompareBackbones(string Scope, int Step) : IJobMessage;

/// <summary>From Ingestion to Training: a run's data set is there; plan its features. Scope: run.</summary>
public sealed record PlanFeatures(string Scope, int Step) : IJobMessage;

/// <summary>Training: compute one shard of features. Scope: feature set.</summary>
public sealed record ExtractFeatures(string Scope, int Step) : IJobMessage;

/// <summary>Training: train the head of a trial for one slice of time. Scope: trial.</summary>
public sealed record TrainHead(string Scope, int Step) : IJobMessage;

/// <summary>From Training to Evaluation: a run's head is trained; evaluate it. Scope: run.</summary>
public sealed record EvaluateHead(string Scope, int Step) : IJobMessage;

/// <summary>From Training to Evaluation: the features of a data set are there; predict its images with a model. Scope: run.</summary>
public sealed record PredictDataset(string Scope, int Step) : IJobMessage;
