using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;

namespace Distributed.Catalog;

/// <summary>One run: what was asked, how far it is, and what it used. Table <c>runs</c>.</summary>
public sealed class Run
{
    /// <summary>Identity, chosen by the submitter.</summary>
    public required Guid Id { get; init; }

    /// <summary>Name for people; the specification has the one that it was submitted with.</summary>
    public string? Name { get; set; }

    /// <summary>The name in lower case, which lists look for parts in. Made by the database.</summary>
    public string? LowerName { get; private set; }

    /// <summary>Labels to filter by; the specification has those that it was submitted with.</summary>
    public required IReadOnlyList<string> Tags { get; set; }

    /// <summary>What people should know of it, in words.</summary>
    public string? Note { get; set; }

    /// <summary>How often name, tags and note were changed: who changes them says which version is meant.</summary>
    public int Revision { get; set; }

    /// <summary>Who asked for it.</summary>
    public string? Submitter { get; init; }

    /// <summary>The submitter's key that makes a repeated request the same run.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>The <see cref="RunSpecification"/> as JSON, defaults included.</summary>
    public required string Specification { get; init; }

    /// <summary>The data set that the specification names. Made by the database, as what lists show and filter by need not read the specification.</summary>
    public string? Dataset { get; private set; }

    /// <summary>The base that the specification names. Made by the database.</summary>
    public string? Backbone { get; private set; }

    /// <summary>The head that the specification names. Made by the database.</summary>
    public string? HeadKind { get; private set; }

    /// <summary>The version of a model that it predicts with, as NAME@NUMBER; null where it trains a head.</summary>
    public string? Model { get; init; }

    /// <summary>The run that made that version.</summary>
    public Guid? ModelRunId { get; init; }

    /// <summary>JSON: the <see cref="CandidateBase"/>s that are compared; null where the base was named.</summary>
    public string? Candidates { get; init; }

    /// <summary>The candidate that was chosen; null until then.</summary>
    public string? ChosenBackbone { get; set; }

    /// <summary>Whose work is done first.</summary>
    public RunPriority Priority { get; init; }

    /// <summary>Where the run is.</summary>
    public RunState State { get; set; }

    /// <summary>Why it failed and what to do, where it did.</summary>
    public string? Failure { get; set; }

    /// <summary>What kind of thing it failed for, where it did; null in rows of earlier versions.</summary>
    public FailureCause? FailureCause { get; set; }

    /// <summary>When it was accepted (UTC).</summary>
    public required DateTime SubmittedAt { get; init; }

    /// <summary>Seconds until its deadline, for who submits it. Not stored: the specification has it.</summary>
    public int? TimeLimit { get; init; }

    /// <summary>When it fails unless it is complete (UTC, database clock); null where it has no time limit.</summary>
    public DateTime? Deadline { get; set; }

    /// <summary>When ingestion began (UTC).</summary>
    public DateTime? IngestingAt { get; set; }

    /// <summary>When the comparison of bases began (UTC); null again once a base is chosen, and the run ingests for it.</summary>
    public DateTime? ComparingAt { get; set; }

    /// <summary>When feature extraction began (UTC).</summary>
    public DateTime? ExtractingAt { get; set; }

    /// <summary>When training began (UTC).</summary>
    public DateTime? TrainingAt { get; set; }

    /// <summary>When evaluation began (UTC).</summary>
    public DateTime? EvaluatingAt { get; set; }

    /// <summary>When the prediction of its images began (UTC).</summary>
    public DateTime? PredictingAt { get; set; }

    /// <summary>When it was completed, failed or cancelled (UTC).</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>Seconds from its submission to its end. Made by the database; null where it has not ended, or the clock was set back meanwhile.</summary>
    public double? Seconds { get; private set; }

    /// <summary>When its final event was published (UTC).</summary>
    public DateTime? EndPublishedAt { get; set; }

    /// <summary>The ingestion that packed its images.</summary>
    public string? IngestionKey { get; set; }

    /// <summary>Its data set.</summary>
    public string? DatasetSha256 { get; set; }

    /// <summary>Its features.</summary>
    public string? FeatureSetKey { get; set; }

    /// <summary>Whether all its features were there already when it was planned.</summary>
    public bool? FeatureCacheHit { get; set; }

    /// <summary>The index lists of its splits.</summary>
    public StoredFile? Split { get; set; }

    /// <summary>Images in its training split.</summary>
    public int? TrainImages { get; set; }

    /// <summary>Images in its validation split.</summary>
    public int? ValidationImages { get; set; }

    /// <summary>Images in its test split.</summary>
    public int? TestImages { get; set; }

    /// <summary>Images taken out of training because they stand in a later split too.</summary>
    public int? RemovedDuplicates { get; set; }

    /// <summary>JSON: processor, threads, device and library versions that trained the head.</summary>
    public string? Environment { get; set; }

    /// <summary>W3C trace context of its submission: all its work is one trace.</summary>
    public string? TraceParent { get; init; }

    /// <summary>How long something took, in seconds; null where it has not ended, or the clock was set back meanwhile.</summary>
    public static double? SecondsBetween(DateTime? from, DateTime? to) => to >= from ? (to - from)?.TotalSeconds : null;
}

/// <summary>A run needs the jobs of this scope: they are done as long as one open run does. Table <c>run_dependencies</c>.</summary>
public sealed class RunDependency
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The scope of jobs: the run itself, one of its trials, or a shared download, ingestion or feature set.</summary>
    public required string Scope { get; init; }
}

/// <summary>How a run's head did on the test split. Table <c>evaluations</c>.</summary>
public sealed class Evaluation
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The same, for queries; null where it was not asked for.</summary>
    public Run? Run { get; private init; }

    /// <summary>The run's data set, so that the best runs on one are found by an index.</summary>
    public required string DatasetSha256 { get; init; }

    /// <summary>The trial whose head was tested: the one with the lowest validation loss.</summary>
    public required int Trial { get; init; }

    /// <summary>Number of test images.</summary>
    public required int TestImages { get; init; }

    /// <summary>Share classified rightly; 0 to 1.</summary>
    public required double TestAccuracy { get; init; }

    /// <summary>Lower end of the accuracy's 95 % Wilson interval.</summary>
    public required double TestAccuracyLow { get; init; }

    /// <summary>Upper end of the accuracy's 95 % Wilson interval.</summary>
    public required double TestAccuracyHigh { get; init; }

    /// <summary>Mean cross-entropy.</summary>
    public required double TestLoss { get; init; }

    /// <summary>How many guesses count for <see cref="TopKAccuracy"/>.</summary>
    public required int TopK { get; init; }

    /// <summary>Share with the true class among the first k guesses; null where k is the number of classes, and it would say nothing.</summary>
    public required double? TopKAccuracy { get; init; }

    /// <summary>Unweighted mean of the classes' F1, over those that occur among the test images or the predictions.</summary>
    public required double MacroF1 { get; init; }

    /// <summary>JSON: rows are true classes, columns predicted ones.</summary>
    public required string ConfusionMatrix { get; init; }

    /// <summary>What the head's logits are divided by for its probabilities; 1 where there are no validation images to find it with.</summary>
    public required double Temperature { get; init; }

    /// <summary>Expected calibration error of the probabilities on the test split; 0 to 1.</summary>
    public required double CalibrationError { get; init; }

    /// <summary>The same without the temperature.</summary>
    public required double UncalibratedError { get; init; }

    /// <summary>JSON: test images by the probability of the class that was named, with the share that is right.</summary>
    public required string Reliability { get; init; }

    /// <summary>Test images with a near duplicate among training and validation images; null where none was sought.</summary>
    public required int? LeakedTestImages { get; init; }

    /// <summary>Share classified rightly of the test images without those; null where there are none left, or none was sought.</summary>
    public required double? UnleakedAccuracy { get; init; }

    /// <summary>Lower end of that accuracy's 95 % Wilson interval.</summary>
    public required double? UnleakedAccuracyLow { get; init; }

    /// <summary>Upper end of that accuracy's 95 % Wilson interval.</summary>
    public required double? UnleakedAccuracyHigh { get; init; }

    /// <summary>The audit of its features and splits.</summary>
    public required string AuditKey { get; init; }

    /// <summary>What was predicted for each test image.</summary>
    public required StoredFile Predictions { get; init; }

    /// <summary>SHA-256 of the evaluated head's file.</summary>
    public required string HeadSha256 { get; init; }

    /// <summary>The report; absent where none was asked for.</summary>
    public required StoredFile? Report { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>What a run predicted for the images of its data set. Table <c>dataset_predictions</c>.</summary>
public sealed class DatasetPrediction
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Number of images.</summary>
    public required int Images { get; init; }

    /// <summary>JSON: a <see cref="PredictedClass"/> for each class, in the model's order.</summary>
    public required string Classes { get; init; }

    /// <summary>A table: a row for each image.</summary>
    public required StoredFile Csv { get; init; }

    /// <summary>The same, one JSON object a line.</summary>
    public required StoredFile JsonLines { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTime CreatedAt { get; init; }
}

/// <summary>How often a class was predicted.</summary>
/// <param name="ClassName">The class.</param>
/// <param name="Images">Images that it was predicted for.</param>
public sealed record PredictedClass(string ClassName, int Images);

/// <summary>How a run's head did on one class. Table <c>class_metrics</c>.</summary>
public sealed class ClassMetric
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Index of the class.</summary>
    public required int Label { get; init; }

    /// <summary>Its name.</summary>
    public required string ClassName { get; init; }

    /// <summary>Right ones among those predicted as this class; null where none is.</summary>
    public required double? Precision { get; init; }

    /// <summary>Right ones among those of this class; null where none is.</summary>
    public required double? Recall { get; init; }

    /// <summary>Harmonic mean of precision and recall; null where the class occurs neither among the test images nor among the predictions.</summary>
    public required double? F1 { get; init; }

    /// <summary>Test images of this class.</summary>
    public required int Support { get; init; }
}
