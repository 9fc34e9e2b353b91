using Distributed.Catalog;
using Distributed.Vision.Metrics;

namespace Distributed.Evaluation.Reporting;

/// <summary>Everything that the report of one run shows, as plain data: the same model gives the same bytes.</summary>
public sealed record ReportModel
{
    /// <summary>Which run it is.</summary>
    public required ReportRun Run { get; init; }

    /// <summary>What it learned from.</summary>
    public required ReportDataset Dataset { get; init; }

    /// <summary>What turned its images into features.</summary>
    public required ReportFeatures Features { get; init; }

    /// <summary>The bases that were compared before one was taken; null where the base was named.</summary>
    public ReportComparison? Comparison { get; init; }

    /// <summary>What was trained on the features.</summary>
    public required ReportHead Head { get; init; }

    /// <summary>The epochs in order, or the penalties of a path from the strongest on; may be empty.</summary>
    public required IReadOnlyList<ReportEpoch> Epochs { get; init; }

    /// <summary>The epoch whose head was kept; counted from 1.</summary>
    public int? BestEpoch { get; init; }

    /// <summary>How the head did on the test split.</summary>
    public required ReportEvaluation Evaluation { get; init; }

    /// <summary>Whether the probabilities mean what they say.</summary>
    public required ReportReliability Reliability { get; init; }

    /// <summary>What the features say about the data set.</summary>
    public required ReportAudit Audit { get; init; }

    /// <summary>Test images with what was predicted for them, in the order to show them in.</summary>
    public IReadOnlyList<ReportSample> Gallery { get; init; } = [];

    /// <summary>Wrongly classified test images, the most confident first.</summary>
    public IReadOnlyList<ReportSample> Mistakes { get; init; } = [];

    /// <summary>What a reader must know before trusting the figures; whole sentences.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>What a reader should know before believing the figures; whole sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Where the time went.</summary>
    public required ReportStages Stages { get; init; }

    /// <summary>How to make the run again.</summary>
    public required ReportRepeat Repeat { get; init; }
}

/// <summary>Which run a report is of.</summary>
public sealed record ReportRun
{
    /// <summary>Its identity, as the API writes it.</summary>
    public required string Id { get; init; }

    /// <summary>Its name for people; null where it was given none.</summary>
    public string? Name { get; init; }

    /// <summary>Its labels.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Who asked for it.</summary>
    public string? Submitter { get; init; }
}

/// <summary>The data set of a run and the splits that the run made of it.</summary>
public sealed record ReportDataset
{
    /// <summary>What the run's ingestion found; at most 20 of the skipped files are shown.</summary>
    public required IngestionSummary Input { get; init; }

    /// <summary>Its identity, in hexadecimal digits.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The class names; a label is an index into them.</summary>
    public required IReadOnlyList<string> ClassNames { get; init; }

    /// <summary>Images that the head learned from.</summary>
    public required int TrainImages { get; init; }

    /// <summary>Images that chose the best epoch; 0 without a validation split.</summary>
    public required int ValidationImages { get; init; }

    /// <summary>Images that measured the result.</summary>
    public required int TestImages { get; init; }

    /// <summary>Images taken out of training because they stand in a later split too.</summary>
    public int DuplicatesRemoved { get; init; }
}

/// <summary>The frozen base and how it was applied.</summary>
public sealed record ReportFeatures
{
    /// <summary>One line for people: architecture, weights, and what those were trained on.</summary>
    public required string BackboneOrigin { get; init; }

    /// <summary>SHA-256 of the weights, in hexadecimal digits.</summary>
    public required string BackboneSha256 { get; init; }

    /// <summary>The key of the feature set, in hexadecimal digits.</summary>
    public required string Key { get; init; }

    /// <summary>Arithmetic of the extraction, such as bf16.</summary>
    public required string Precision { get; init; }

    /// <summary>Side in pixels of the square that every image was brought to.</summary>
    public required int InputSize { get; init; }

    /// <summary>How an image that is no square was brought to one.</summary>
    public required string Fit { get; init; }

    /// <summary>Resampling and normalisation, in words.</summary>
    public required string Preprocessing { get; init; }
}

/// <summary>A comparison of bases.</summary>
/// <param name="Images">Training images that were sampled.</param>
/// <param name="Bases">The most accurate first, those that were left out last.</param>
/// <param name="Picture">Accuracy by speed: SVG.</param>
public sealed record ReportComparison(int Images, IReadOnlyList<ReportBase> Bases, byte[] Picture);

/// <summary>A base in a comparison; figures are null where it was left out.</summary>
/// <param name="Backbone">Its name.</param>
/// <param name="InputSize">Side of the images, pixels.</param>
/// <param name="Accuracy">Share that was right; 0 to 1.</param>
/// <param name="AccuracyLow">Lower end of its 95 % interval.</param>
/// <param name="AccuracyHigh">Upper end of its 95 % interval.</param>
/// <param name="PValue">Of McNemar's exact test against the most accurate.</param>
/// <param name="ImagesPerSecond">Images that went through it in a second.</param>
/// <param name="FeatureSize">Numbers that an image is turned into.</param>
/// <param name="Licence">Licence of the weights, where it is known.</param>
/// <param name="IsChosen">Whether it was taken.</param>
/// <param name="Reason">Why it was left out.</param>
public sealed record ReportBase(
    string Backbone,
    int InputSize,
    double? Accuracy,
    double? AccuracyLow,
    double? AccuracyHigh,
    double? PValue,
    double? ImagesPerSecond,
    int? FeatureSize,
    string? Licence,
    bool IsChosen,
    string? Reason
);

/// <summary>The trained part.</summary>
public sealed record ReportHead
{
    /// <summary>Its kind, such as linear or mlp.</summary>
    public required string Kind { get; init; }

    /// <summary>Widths of its hidden layers; empty for a linear head.</summary>
    public IReadOnlyList<int> HiddenSizes { get; init; } = [];

    /// <summary>Share of a hidden layer's outputs dropped in training; null where there is nothing to drop.</summary>
    public double? Dropout { get; init; }

    /// <summary>SHA-256 of the evaluated head's file, in hexadecimal digits.</summary>
    public required string Sha256 { get; init; }
}

/// <summary>Loss and accuracy after one epoch, or at one penalty of a path. A figure that is not finite is shown as missing.</summary>
/// <param name="Epoch">Counted from 1.</param>
/// <param name="TrainLoss">Mean cross-entropy on the training split.</param>
/// <param name="TrainAccuracy">Share of the training split classified rightly; 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation split; null without one.</param>
/// <param name="ValidationAccuracy">Share of the validation split classified rightly; null without one.</param>
/// <param name="LearningRate">Step size; null where the epochs are the penalties of a path.</param>
/// <param name="Penalty">L2 penalty of a path; null by epochs.</param>
public sealed record ReportEpoch(
    int Epoch,
    double TrainLoss,
    double TrainAccuracy,
    double? ValidationLoss,
    double? ValidationAccuracy,
    double? LearningRate,
    double? Penalty = null
);

/// <summary>How the head did on the test split.</summary>
public sealed record ReportEvaluation
{
    /// <summary>Share classified rightly; 0 to 1.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Lower end of its 95 % Wilson interval.</summary>
    public required double AccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % Wilson interval.</summary>
    public required double AccuracyHigh { get; init; }

    /// <summary>Number of test images.</summary>
    public required int TestImages { get; init; }

    /// <summary>Mean cross-entropy.</summary>
    public required double Loss { get; init; }

    /// <summary>How many guesses count for <see cref="TopKAccuracy"/>.</summary>
    public required int TopK { get; init; }

    /// <summary>Share with the true class among the first k guesses; 0 to 1; null where k is the number of classes.</summary>
    public required double? TopKAccuracy { get; init; }

    /// <summary>Unweighted mean of the classes' F1, of those that have one; 0 to 1.</summary>
    public required double MacroF1 { get; init; }

    /// <summary>One a class, in the order of the class names.</summary>
    public required IReadOnlyList<ReportClassMetric> Classes { get; init; }

    /// <summary>Counts: rows are true classes, columns predicted ones.</summary>
    public required int[][] ConfusionMatrix { get; init; }
}

/// <summary>How the head did on one class; each share is 0 to 1, or null where it is a share of nothing.</summary>
/// <param name="Precision">Share of the images named this class that are of it.</param>
/// <param name="Recall">Share of the images of this class that were named so.</param>
/// <param name="F1">Harmonic mean of the two.</param>
/// <param name="Support">Test images of this class.</param>
public sealed record ReportClassMetric(double? Precision, double? Recall, double? F1, int Support);

/// <summary>Whether the head's probabilities mean what they say.</summary>
/// <param name="Error">Expected calibration error on the test split; 0 to 1.</param>
/// <param name="UncalibratedError">The same without the temperature.</param>
/// <param name="Temperature">What logits are divided by; 1 where nothing was there to find it with.</param>
/// <param name="Bins">Test images by the probability of the class that was named.</param>
public sealed record ReportReliability(double Error, double UncalibratedError, double Temperature, IReadOnlyList<ReliabilityBin> Bins);

/// <summary>What the features say about the data set itself.</summary>
public sealed record ReportAudit
{
    /// <summary>Training and validation images whose label was judged.</summary>
    public int Judged { get; init; }

    /// <summary>Those of which another class is more probable.</summary>
    public int Doubted { get; init; }

    /// <summary>Why labels were not judged; null where they were.</summary>
    public string? NotJudged { get; init; }

    /// <summary>The least probable labels: the predicted label is the class that is most probable.</summary>
    public IReadOnlyList<ReportSample> Suspects { get; init; } = [];

    /// <summary>Test images with a near duplicate among those that the head learned from.</summary>
    public int LeakedTestImages { get; init; }

    /// <summary>Why near duplicates were not looked for; null where they were.</summary>
    public string? NotSought { get; init; }

    /// <summary>Some of the pairs, the most alike first.</summary>
    public IReadOnlyList<ReportPair> Duplicates { get; init; } = [];

    /// <summary>Share of the other test images classified rightly; null where none is left.</summary>
    public double? UnleakedAccuracy { get; init; }

    /// <summary>Lower end of its 95 % Wilson interval.</summary>
    public double? UnleakedAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % Wilson interval.</summary>
    public double? UnleakedAccuracyHigh { get; init; }
}

/// <summary>A test image beside a near duplicate that the head learned from.</summary>
/// <param name="Test">The test image.</param>
/// <param name="TestLabel">Index of its class.</param>
/// <param name="Training">The training or validation image.</param>
/// <param name="TrainingLabel">Index of its class.</param>
/// <param name="Correlation">How alike their pixels are; at most 1.</param>
public sealed record ReportPair(ReportPicture Test, int TestLabel, ReportPicture Training, int TrainingLabel, double Correlation);

/// <summary>An image of the data set.</summary>
/// <param name="Png">A small PNG file to show, shown at about 150 px; empty where there is none.</param>
/// <param name="Name">Its name in the source.</param>
public sealed record ReportPicture(byte[] Png, string Name);

/// <summary>One image with its prediction.</summary>
/// <param name="Picture">The image.</param>
/// <param name="TrueLabel">Index of its class.</param>
/// <param name="PredictedLabel">Index of the class that was named.</param>
/// <param name="PredictedProbability">Probability of the class that was named; 0 to 1.</param>
/// <param name="TrueProbability">Probability of its class; 0 to 1.</param>
public sealed record ReportSample(
    ReportPicture Picture,
    int TrueLabel,
    int PredictedLabel,
    double PredictedProbability,
    double TrueProbability
);

/// <summary>Seconds that the stages took; null where a stage was not timed.</summary>
/// <param name="IngestSeconds">Fetching, decoding and packing the data set.</param>
/// <param name="FeaturesSeconds">Turning images into features.</param>
/// <param name="TrainSeconds">Training the head.</param>
/// <param name="EvaluateSeconds">Predicting the test split.</param>
/// <param name="TotalSeconds">From submission to this report.</param>
/// <param name="FeatureCacheHit">Whether all features were there already.</param>
public sealed record ReportStages(
    double? IngestSeconds,
    double? FeaturesSeconds,
    double? TrainSeconds,
    double? EvaluateSeconds,
    double? TotalSeconds,
    bool FeatureCacheHit
);

/// <summary>What it takes to make the run again.</summary>
public sealed record ReportRepeat
{
    /// <summary>The whole specification as JSON, laid out for reading.</summary>
    public required string SpecificationJson { get; init; }

    /// <summary>The command that submits the same run.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Where it ran: processor, threads, device, versions.</summary>
    public IReadOnlyList<ReportEntry> Environment { get; init; } = [];

    /// <summary>What its random draws began from.</summary>
    public IReadOnlyList<ReportEntry> Seeds { get; init; } = [];
}

/// <summary>One line of a table.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Value">What it says.</param>
public sealed record ReportEntry(string Name, string Value);
