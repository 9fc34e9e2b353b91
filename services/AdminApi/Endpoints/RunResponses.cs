using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Pipeline;

namespace Distributed.AdminApi.Endpoints;

/// <summary>A run as lists show it.</summary>
public sealed record RunSummary
{
    /// <summary>Identity.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Name for people.</summary>
    public string? Name { get; init; }

    /// <summary>Labels.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>What people should know of it.</summary>
    public string? Note { get; init; }

    /// <summary>Who asked for it.</summary>
    public string? Submitter { get; init; }

    /// <summary>Whose work is done first.</summary>
    public required RunPriority Priority { get; init; }

    /// <summary>Where it is.</summary>
    public required RunState State { get; init; }

    /// <summary>How far it is in this state; null where it has ended, or that is not measured.</summary>
    public StageProgress? Progress { get; init; }

    /// <summary>Why it failed and what to do.</summary>
    public string? Failure { get; init; }

    /// <summary>What kind of thing it failed for; null where it did not, and for runs of earlier versions.</summary>
    public FailureCause? FailureCause { get; init; }

    /// <summary>When it was accepted (UTC).</summary>
    public required DateTime SubmittedAt { get; init; }

    /// <summary>When it fails unless it is complete (UTC); null where it has no time limit.</summary>
    public DateTime? Deadline { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public DateTime? FinishedAt { get; init; }

    /// <summary>Seconds of the stages.</summary>
    public required StageSeconds Seconds { get; init; }

    /// <summary>The data set, as its specification names it.</summary>
    public string? Dataset { get; init; }

    /// <summary>The data set by content, once it is known.</summary>
    public string? DatasetSha256 { get; init; }

    /// <summary>What people call that data set.</summary>
    public string? DatasetName { get; init; }

    /// <summary>The base, as its specification names it.</summary>
    public string? Base { get; init; }

    /// <summary>The head that it trains, linear or mlp; null where it predicts with a model.</summary>
    public string? Head { get; init; }

    /// <summary>Share of the test images classified rightly; 0 to 1.</summary>
    public double? TestAccuracy { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? TestAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? TestAccuracyHigh { get; init; }

    /// <summary>Mean cross-entropy on the test images.</summary>
    public double? TestLoss { get; init; }

    /// <summary>Unweighted mean of the classes' F1.</summary>
    public double? MacroF1 { get; init; }

    /// <summary>Expected calibration error; 0 to 1.</summary>
    public double? CalibrationError { get; init; }

    /// <summary>Which base made the features, in words.</summary>
    public string? Backbone { get; init; }

    /// <summary>The version of a model that it predicts with, as NAME@NUMBER; null where it trains a head.</summary>
    public string? Model { get; init; }
}

/// <summary>A page of runs.</summary>
/// <param name="Items">The runs, in the order that was asked for.</param>
/// <param name="Next">Value of <c>after</c> for the next page; null on the last one.</param>
public sealed record RunPage(IReadOnlyList<RunSummary> Items, string? Next);

/// <summary>Seconds of the stages; null where a stage has not ended, or the run does not go through it.</summary>
public sealed record StageSeconds(double? Ingest, double? Features, double? Train, double? Evaluate, double? Predict, double? Total);

/// <summary>What a run predicted.</summary>
/// <param name="Images">Number of images.</param>
/// <param name="Classes">How often each class was predicted, in the model's order.</param>
/// <param name="CsvUrl">The predictions as a table, a row for each image.</param>
/// <param name="JsonLinesUrl">The same, one JSON object a line.</param>
public sealed record PredictionSummary(int Images, IReadOnlyList<PredictedClass> Classes, string CsvUrl, string JsonLinesUrl);

/// <summary>A run in full.</summary>
public sealed record RunDetail
{
    /// <summary>What lists show.</summary>
    public required RunSummary Summary { get; init; }

    /// <summary>What was asked for, defaults included: name and tags as they were then.</summary>
    public required JsonElement Specification { get; init; }

    /// <summary>How often name, tags or note were changed: the ETag.</summary>
    public int Revision { get; init; }

    /// <summary>Progress of the current stage.</summary>
    public StageProgress? Progress { get; init; }

    /// <summary>What it waits for, where it does: a volume that is full or away, a damaged file that is being recomputed, or a worker.</summary>
    public string? Waiting { get; init; }

    /// <summary>Its data set.</summary>
    public string? DatasetSha256 { get; init; }

    /// <summary>What its own ingestion found, and what was skipped; null before it is complete, and for runs of earlier versions.</summary>
    public IngestionSummary? Input { get; init; }

    /// <summary>What a person must know before trusting its result; whole sentences.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Its features.</summary>
    public string? FeatureSetKey { get; init; }

    /// <summary>Whether all features were there when it was planned.</summary>
    public bool? FeatureCacheHit { get; init; }

    /// <summary>Images in its training split.</summary>
    public int? TrainImages { get; init; }

    /// <summary>Images in its validation split.</summary>
    public int? ValidationImages { get; init; }

    /// <summary>Images in its test split.</summary>
    public int? TestImages { get; init; }

    /// <summary>Images taken out of training because they stand in a later split too.</summary>
    public int? RemovedDuplicates { get; init; }

    /// <summary>SHA-256 of the best head's file.</summary>
    public string? HeadSha256 { get; init; }

    /// <summary>Seconds of the stages.</summary>
    public required StageSeconds Seconds { get; init; }

    /// <summary>Processor, threads, device and versions that trained the head.</summary>
    public JsonElement? Environment { get; init; }

    /// <summary>What it predicted, where it did so with a model, once it is complete.</summary>
    public PredictionSummary? Predictions { get; init; }

    /// <summary>Where the report is, once it is there; absent where none was asked for.</summary>
    public string? ReportUrl { get; init; }

    /// <summary>The id of its trace: all its work, on all hosts.</summary>
    public string? TraceId { get; init; }

    /// <summary>Where its trace and its logs can be looked at.</summary>
    public required TelemetryLinks Links { get; init; }
}

/// <summary>What was measured of a run.</summary>
/// <param name="Epochs">The epochs by Adam, in order; empty by Newton's method, which has none.</param>
/// <param name="Penalties">The penalties that Newton's method tried, from the strongest on; empty by Adam.</param>
/// <param name="Evaluation">The test result, once it is there.</param>
public sealed record RunMetrics(IReadOnlyList<EpochResult> Epochs, IReadOnlyList<PenaltyResult> Penalties, EvaluationResult? Evaluation);

/// <summary>What an epoch came to.</summary>
/// <param name="Epoch">Counted from 1.</param>
/// <param name="TrainLoss">Mean cross-entropy over the epoch's batches, as trained (with dropout).</param>
/// <param name="TrainAccuracy">Accuracy on them; 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation split; null without one.</param>
/// <param name="ValidationAccuracy">Accuracy on it; null without one.</param>
/// <param name="LearningRate">Adam's step size.</param>
public sealed record EpochResult(
    int Epoch,
    double TrainLoss,
    double TrainAccuracy,
    double? ValidationLoss,
    double? ValidationAccuracy,
    double LearningRate
);

/// <summary>What a penalty came to.</summary>
/// <param name="Penalty">The L2 penalty.</param>
/// <param name="TrainLoss">Mean cross-entropy on the training split.</param>
/// <param name="TrainAccuracy">Accuracy on it; 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation split, which the penalty is chosen by; null without one.</param>
/// <param name="ValidationAccuracy">Accuracy on it; null without one.</param>
public sealed record PenaltyResult(
    double Penalty,
    double TrainLoss,
    double TrainAccuracy,
    double? ValidationLoss,
    double? ValidationAccuracy
);

/// <summary>A test result.</summary>
public sealed record EvaluationResult
{
    /// <summary>Number of test images.</summary>
    public required int TestImages { get; init; }

    /// <summary>Share classified rightly.</summary>
    public required double TestAccuracy { get; init; }

    /// <summary>Lower end of its 95 % Wilson interval.</summary>
    public required double TestAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % Wilson interval.</summary>
    public required double TestAccuracyHigh { get; init; }

    /// <summary>Mean cross-entropy.</summary>
    public required double TestLoss { get; init; }

    /// <summary>Guesses that count for the top-k accuracy.</summary>
    public required int TopK { get; init; }

    /// <summary>Share with the true class among them; null where they are all classes.</summary>
    public required double? TopKAccuracy { get; init; }

    /// <summary>Unweighted mean of the classes' F1, over those that occur among the test images or the predictions.</summary>
    public required double MacroF1 { get; init; }

    /// <summary>How many classes that mean is over.</summary>
    public required int MacroF1Classes { get; init; }

    /// <summary>Result by class.</summary>
    public required IReadOnlyList<ClassMetric> Classes { get; init; }

    /// <summary>What the head's logits are divided by for its probabilities, found on the validation images; 1 without such.</summary>
    public required double Temperature { get; init; }

    /// <summary>Expected calibration error of the probabilities on the test images; 0 to 1.</summary>
    public required double CalibrationError { get; init; }

    /// <summary>The same without the temperature.</summary>
    public required double UncalibratedError { get; init; }

    /// <summary>Test images by the probability of the class that was named: low, high, count, mean confidence, accuracy.</summary>
    public required JsonElement Reliability { get; init; }

    /// <summary>Training and validation images whose label was judged by all others; null where they were not.</summary>
    public required int? JudgedLabels { get; init; }

    /// <summary>Those of which another class is more probable.</summary>
    public required int? DoubtedLabels { get; init; }

    /// <summary>Test images with a near duplicate among training and validation images; null where none was sought.</summary>
    public required int? LeakedTestImages { get; init; }

    /// <summary>Accuracy on the other test images.</summary>
    public required double? UnleakedAccuracy { get; init; }

    /// <summary>Lower end of its 95 % Wilson interval.</summary>
    public required double? UnleakedAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % Wilson interval.</summary>
    public required double? UnleakedAccuracyHigh { get; init; }

    /// <summary>Rows are true classes, columns predicted ones.</summary>
    public required JsonElement ConfusionMatrix { get; init; }
}
