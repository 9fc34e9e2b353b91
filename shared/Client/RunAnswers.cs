namespace Distributed.Client;

/// <summary>A page of a list.</summary>
/// <param name="Items">What is on it.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record Page<T, TNext>(IReadOnlyList<T> Items, TNext Next);

/// <summary>Seconds of the stages; null where a stage has not ended, or the run does not go through it.</summary>
/// <param name="Ingest">Fetching and packing images.</param>
/// <param name="Features">Computing features.</param>
/// <param name="Train">Training the head.</param>
/// <param name="Evaluate">Testing it.</param>
/// <param name="Predict">Predicting with a model.</param>
/// <param name="Total">From submission to the end.</param>
public sealed record StageSeconds(double? Ingest, double? Features, double? Train, double? Evaluate, double? Predict, double? Total);

/// <summary>Where to look at what happened in a run; null where nobody has said where that is.</summary>
/// <param name="Trace">All its work, on all hosts, on one time line.</param>
/// <param name="Logs">What the hosts wrote about it.</param>
public sealed record TelemetryLinks(string? Trace, string? Logs);

/// <summary>What one ingestion found in its source.</summary>
/// <param name="Name">What people call the data set.</param>
/// <param name="Source">The folder that was read.</param>
/// <param name="Files">Files that were seen.</param>
/// <param name="Images">Images that can be used.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="Notes">How the source was understood where that is not plain.</param>
/// <param name="SkippedCount">Files that cannot be used.</param>
/// <param name="SkippedByReason">These by reason, the most frequent first.</param>
/// <param name="Skipped">The first 100 of them.</param>
public sealed record InputSummary(
    string Name,
    string Source,
    int Files,
    int Images,
    int Classes,
    IReadOnlyList<string> Notes,
    int SkippedCount,
    IReadOnlyList<SkippedReason> SkippedByReason,
    IReadOnlyList<SkippedFile> Skipped
);

/// <summary>The files that were skipped for one reason.</summary>
/// <param name="Reason">The reason for programs, such as <c>unsupportedFormat</c>.</param>
/// <param name="Words">The reason for people, as it follows a count.</param>
/// <param name="Count">Number of files.</param>
/// <param name="Advice">What to do about them.</param>
public sealed record SkippedReason(string Reason, string Words, int Count, string Advice);

/// <summary>One skipped file.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Reason">The reason for programs.</param>
/// <param name="Detail">The reason in words.</param>
public sealed record SkippedFile(string Name, string Reason, string Detail);

/// <summary>What was measured of a run.</summary>
/// <param name="Epochs">The epochs by Adam, in order; empty by Newton's method, which has none.</param>
/// <param name="Penalties">The penalties that Newton's method tried, from the strongest on; empty by Adam.</param>
/// <param name="Evaluation">The test result, once it is there.</param>
public sealed record RunMetrics(IReadOnlyList<EpochMetrics> Epochs, IReadOnlyList<PenaltyMetrics> Penalties, TestMetrics? Evaluation);

/// <summary>What an epoch came to.</summary>
/// <param name="Epoch">Counted from 1.</param>
/// <param name="TrainLoss">Mean cross-entropy as trained.</param>
/// <param name="TrainAccuracy">Accuracy, 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation split; null without one.</param>
/// <param name="ValidationAccuracy">Accuracy on it; null without one.</param>
public sealed record EpochMetrics(int Epoch, double TrainLoss, double TrainAccuracy, double? ValidationLoss, double? ValidationAccuracy);

/// <summary>What a penalty came to.</summary>
/// <param name="Penalty">The L2 penalty.</param>
/// <param name="TrainLoss">Mean cross-entropy on the training split.</param>
/// <param name="TrainAccuracy">Accuracy on it, 0 to 1.</param>
/// <param name="ValidationLoss">Mean cross-entropy on the validation split; null without one.</param>
/// <param name="ValidationAccuracy">Accuracy on it; null without one.</param>
public sealed record PenaltyMetrics(
    double Penalty,
    double TrainLoss,
    double TrainAccuracy,
    double? ValidationLoss,
    double? ValidationAccuracy
);

/// <summary>The result on the test images.</summary>
public sealed record TestMetrics
{
    /// <summary>Number of test images.</summary>
    public required int TestImages { get; init; }

    /// <summary>Share classified rightly; 0 to 1.</summary>
    public required double TestAccuracy { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public required double TestAccuracyLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public required double TestAccuracyHigh { get; init; }

    /// <summary>Mean cross-entropy.</summary>
    public required double TestLoss { get; init; }

    /// <summary>Guesses that count for the top-k accuracy.</summary>
    public required int TopK { get; init; }

    /// <summary>Share with the true class among them; null where they are all classes.</summary>
    public double? TopKAccuracy { get; init; }

    /// <summary>Unweighted mean of the classes' F1.</summary>
    public required double MacroF1 { get; init; }

    /// <summary>Result by class, in label order.</summary>
    public required IReadOnlyList<ClassResult> Classes { get; init; }

    /// <summary>Expected calibration error of the probabilities; 0 to 1.</summary>
    public required double CalibrationError { get; init; }

    /// <summary>Training and validation images whose label another class is more probable than; null where none was judged.</summary>
    public int? DoubtedLabels { get; init; }

    /// <summary>Test images with a near duplicate among those that the head learned from; null where none was sought.</summary>
    public int? LeakedTestImages { get; init; }

    /// <summary>Accuracy on the other test images.</summary>
    public double? UnleakedAccuracy { get; init; }

    /// <summary>Rows are true classes, columns predicted ones, both in label order.</summary>
    public required IReadOnlyList<IReadOnlyList<int>> ConfusionMatrix { get; init; }
}

/// <summary>The result of a class.</summary>
/// <param name="ClassName">Its name.</param>
/// <param name="Precision">Right ones among those predicted as it; null where none is.</param>
/// <param name="Recall">Right ones among those of it; null where there is none.</param>
/// <param name="F1">Their harmonic mean.</param>
/// <param name="Support">Test images of it.</param>
public sealed record ClassResult(string ClassName, double? Precision, double? Recall, double? F1, int Support);

/// <summary>How people call a run.</summary>
/// <param name="Name">Its name; null for none.</param>
/// <param name="Tags">Its labels.</param>
/// <param name="Note">What people should know of it; null for nothing.</param>
public sealed record RunLabels(string? Name, IReadOnlyList<string> Tags, string? Note);

/// <summary>A way to look at the list of runs, kept under a name.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Query">Filters and order, as they stand in the address of the list.</param>
/// <param name="Columns">The fields to show, in their order; empty for the usual ones.</param>
/// <param name="Revision">How often it was changed.</param>
/// <param name="ChangedAt">When it was saved last (UTC).</param>
/// <param name="ChangedBy">Who saved it last.</param>
public sealed record SavedView(
    string Name,
    string Query,
    IReadOnlyList<string> Columns,
    int Revision,
    DateTime ChangedAt,
    string ChangedBy
);
