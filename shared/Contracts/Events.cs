namespace Distributed.Contracts;

/// <summary>A run has been evaluated and is complete. Published once or more a run; subscribe to the exchange named after this type.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Its name, where it has one.</param>
/// <param name="TestAccuracy">Share of the test images classified rightly; 0 to 1.</param>
/// <param name="TestAccuracyLow">Lower end of its 95 % interval.</param>
/// <param name="TestAccuracyHigh">Upper end of its 95 % interval.</param>
/// <param name="TestImages">Number of test images.</param>
/// <param name="ReportPath">The report, below the volume's root; absent where none was asked for.</param>
public sealed record RunEvaluated(
    Guid RunId,
    string? Name,
    double TestAccuracy,
    double TestAccuracyLow,
    double TestAccuracyHigh,
    int TestImages,
    string? ReportPath
);

/// <summary>A run has predicted the images of its data set and is complete. Published once or more a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Its name, where it has one.</param>
/// <param name="Model">The version of the model, as NAME@NUMBER.</param>
/// <param name="Images">Number of images.</param>
/// <param name="CsvPath">The predictions as a table, below the volume's root.</param>
/// <param name="JsonLinesPath">The same, one JSON object a line.</param>
public sealed record RunPredicted(Guid RunId, string? Name, string Model, int Images, string CsvPath, string JsonLinesPath);

/// <summary>A run of the kind compare has found the best base for its data set and is complete. Published once or more a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Its name, where it has one.</param>
/// <param name="Backbone">The base that was chosen.</param>
/// <param name="Accuracy">Share of the sample that its heads had right in cross-validation; 0 to 1.</param>
/// <param name="Images">Images of the sample.</param>
public sealed record RunCompared(Guid RunId, string? Name, string Backbone, double Accuracy, int Images);

/// <summary>A run has failed for good. Published once or more a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Its name, where it has one.</param>
/// <param name="Reason">What was wrong and what to do.</param>
public sealed record RunFailed(Guid RunId, string? Name, string Reason);

/// <summary>A run was cancelled before it was complete. Published once or more a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Its name, where it has one.</param>
public sealed record RunCancelled(Guid RunId, string? Name);
