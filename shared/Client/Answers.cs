using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.Client;

/// <summary>A run in short.</summary>
public sealed record RunSummary
{
    /// <summary>Identity.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Name for people.</summary>
    public string? Name { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>What people should know of it.</summary>
    public string? Note { get; init; }

    /// <summary>Who asked for it.</summary>
    public string? Submitter { get; init; }

    /// <summary>Where it is.</summary>
    public required RunState State { get; init; }

    /// <summary>Why it failed and what to do.</summary>
    public string? Failure { get; init; }

    /// <summary>When it was accepted (UTC).</summary>
    public required DateTime SubmittedAt { get; init; }

    /// <summary>When it ended (UTC); null where it has not.</summary>
    public DateTime? FinishedAt { get; init; }

    /// <summary>Share of the test images classified rightly; 0 to 1.</summary>
    public double? TestAccuracy { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? TestAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? TestAccuracyHigh { get; init; }

    /// <summary>How far it is in its state; null where it has ended, or that is not measured.</summary>
    public StageProgress? Progress { get; init; }

    /// <summary>The data set, as its specification names it.</summary>
    public string? Dataset { get; init; }

    /// <summary>The data set by content, once it is known.</summary>
    public string? DatasetSha256 { get; init; }

    /// <summary>What people call that data set.</summary>
    public string? DatasetName { get; init; }

    /// <summary>The base, as its specification names it.</summary>
    public string? Base { get; init; }

    /// <summary>The head that it trains: <c>linear</c> or <c>mlp</c>.</summary>
    public string? Head { get; init; }

    /// <summary>Which base made the features.</summary>
    public string? Backbone { get; init; }

    /// <summary>The version of a model that it predicts with, as NAME@NUMBER; null where it trains a head.</summary>
    public string? Model { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => State is RunState.Completed or RunState.Failed or RunState.Cancelled;
}

/// <summary>How far a stage is.</summary>
/// <param name="Stage">What is counted.</param>
/// <param name="Done">Done so far.</param>
/// <param name="Total">In all, or at most; null where it is not known beforehand.</param>
public sealed record StageProgress(string Stage, long Done, long? Total);

/// <summary>A run in full.</summary>
public sealed record RunDetail
{
    /// <summary>What lists show.</summary>
    public required RunSummary Summary { get; init; }

    /// <summary>What was asked for, defaults included.</summary>
    public required JsonElement Specification { get; init; }

    /// <summary>How often its name, tags or note were changed; who changes them says which revision is meant.</summary>
    public int Revision { get; init; }

    /// <summary>Progress of the current stage.</summary>
    public StageProgress? Progress { get; init; }

    /// <summary>What it waits for, where it does.</summary>
    public string? Waiting { get; init; }

    /// <summary>What a person must know before trusting its result.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>SHA-256 of its data set.</summary>
    public string? DatasetSha256 { get; init; }

    /// <summary>What its ingestion found, and what was skipped; null before that is complete.</summary>
    public InputSummary? Input { get; init; }

    /// <summary>Its features, which runs with the same images, base and preprocessing share.</summary>
    public string? FeatureSetKey { get; init; }

    /// <summary>Whether all features were there when it was planned.</summary>
    public bool? FeatureCacheHit { get; init; }

    /// <summary>Images in its training split.</summary>
    public int? TrainImages { get; init; }

    /// <summary>Images in its validation split.</summary>
    public int? ValidationImages { get; init; }

    /// <summary>Images in its test split.</summary>
    public int? TestImages { get; init; }

    /// <summary>SHA-256 of the best head's file.</summary>
    public string? HeadSha256 { get; init; }

    /// <summary>Seconds of its stages.</summary>
    public StageSeconds? Seconds { get; init; }

    /// <summary>Processor, threads, device and versions that trained the head.</summary>
    public JsonElement? Environment { get; init; }

    /// <summary>Where its trace and its logs can be looked at.</summary>
    public TelemetryLinks? Links { get; init; }

    /// <summary>What it predicted with a model, once it is complete.</summary>
    public PredictionSummary? Predictions { get; init; }

    /// <summary>Path of its report on the server, once it is there.</summary>
    public string? ReportUrl { get; init; }

    /// <summary>The id of its trace.</summary>
    public string? TraceId { get; init; }
}

/// <summary>What a run predicted.</summary>
/// <param name="Images">Number of images.</param>
/// <param name="Classes">How often each class was predicted, in the model's order.</param>
/// <param name="CsvUrl">Path on the server of the predictions as a table, a row for each image.</param>
/// <param name="JsonLinesUrl">Path on the server of the same, one JSON object a line.</param>
public sealed record PredictionSummary(int Images, IReadOnlyList<PredictedClass> Classes, string CsvUrl, string JsonLinesUrl);

/// <summary>What was predicted for an image of a data set.</summary>
/// <param name="Image">Its name in the data set.</param>
/// <param name="Sha256">SHA-256 of its file.</param>
/// <param name="Predicted">The most probable class.</param>
/// <param name="Probability">That class's probability.</param>
/// <param name="Probabilities">The probability of each class.</param>
/// <param name="Distance">How unusual the image is: the Mahalanobis distance to the nearest class mean; null where that is not known.</param>
/// <param name="Percentile">The share of training images that are less unusual, 0 to 1.</param>
public sealed record DatasetPrediction(
    string Image,
    string Sha256,
    string Predicted,
    double Probability,
    IReadOnlyDictionary<string, double> Probabilities,
    double? Distance,
    double? Percentile
);

/// <summary>How often a class was predicted.</summary>
/// <param name="ClassName">The class.</param>
/// <param name="Images">Images that it was predicted for.</param>
public sealed record PredictedClass(string ClassName, int Images);

/// <summary>A model in short.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Versions">How many versions it has.</param>
/// <param name="Aliases">The version that each alias points to.</param>
/// <param name="CreatedAt">When it was created (UTC).</param>
public sealed record ModelSummary(
    string Name,
    string? Description,
    int Versions,
    IReadOnlyDictionary<string, int> Aliases,
    DateTime CreatedAt
);

/// <summary>A version of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Number">Counted from 1.</param>
/// <param name="RunId">Its run.</param>
/// <param name="Note">What people should know of it.</param>
/// <param name="Lineage">Everything that it takes to repeat it.</param>
/// <param name="CreatedAt">When it was registered (UTC).</param>
/// <param name="CreatedBy">Who registered it.</param>
public sealed record ModelVersionDetail(
    string Model,
    int Number,
    Guid RunId,
    string? Note,
    JsonElement Lineage,
    DateTime CreatedAt,
    string CreatedBy
);

/// <summary>Where an alias points.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Version">The version.</param>
/// <param name="ChangedAt">When it was moved last (UTC).</param>
/// <param name="ChangedBy">Who moved it.</param>
public sealed record AliasDetail(string Alias, int Version, DateTime ChangedAt, string ChangedBy);

/// <summary>The classes of images.</summary>
/// <param name="Model">The model.</param>
/// <param name="Version">The number of the version that answered.</param>
/// <param name="RunId">The run that trained it.</param>
/// <param name="Images">One for each image, in their order.</param>
public sealed record Predictions(string Model, int Version, Guid RunId, IReadOnlyList<PredictedImage> Images);

/// <summary>The classes of an image.</summary>
/// <param name="Image">Its name, or its number.</param>
/// <param name="Classes">The most probable first; empty where the image cannot be used.</param>
/// <param name="Evidence">What supports it, where that was asked for.</param>
/// <param name="Rejected">Why the image cannot be used; null where it can.</param>
public sealed record PredictedImage(string Image, IReadOnlyList<ClassProbability> Classes, PredictionEvidence? Evidence, string? Rejected);

/// <summary>What to return of each image.</summary>
public sealed record PredictionOptions
{
    /// <summary>Classes, the most probable first.</summary>
    public int Top { get; init; } = 5;

    /// <summary>Training images that are most alike.</summary>
    public int Neighbours { get; init; }

    /// <summary>Whether to measure how unusual the image is.</summary>
    public bool Unusual { get; init; }

    /// <summary>The confidence of a set of classes, above 0 and below 1; null for no set.</summary>
    public double? Confidence { get; init; }
}
