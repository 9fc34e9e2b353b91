namespace Distributed.Client;

/// <summary>Who the server takes a caller for.</summary>
/// <param name="Name">Name of the key.</param>
/// <param name="Kind"><c>key</c>, or <c>local</c> for who comes from the same machine and needs none.</param>
/// <param name="Role"><c>reader</c>, <c>operator</c> or <c>predictor</c>.</param>
public sealed record Identity(string Name, string Kind, string Role);

/// <summary>A model with its versions and aliases.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
/// <param name="CreatedAt">When it was created (UTC).</param>
/// <param name="Aliases">Its aliases.</param>
/// <param name="Versions">Its versions, the latest first.</param>
/// <param name="Moves">How its aliases were moved, the latest first.</param>
public sealed record ModelDetail(
    string Name,
    string? Description,
    DateTime CreatedAt,
    IReadOnlyList<AliasDetail> Aliases,
    IReadOnlyList<ModelVersionSummary> Versions,
    IReadOnlyList<AliasMove> Moves
);

/// <summary>A version of a model in short.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="RunId">Its run.</param>
/// <param name="Note">What people should know of it.</param>
/// <param name="Metrics">How it did on the test images.</param>
/// <param name="Backbone">Its base.</param>
/// <param name="Dataset">Its data set.</param>
/// <param name="Classes">How many classes it knows.</param>
/// <param name="CreatedAt">When it was registered (UTC).</param>
/// <param name="CreatedBy">Who registered it.</param>
public sealed record ModelVersionSummary(
    int Number,
    Guid RunId,
    string? Note,
    VersionMetrics Metrics,
    string Backbone,
    string Dataset,
    int Classes,
    DateTime CreatedAt,
    string CreatedBy
);

/// <summary>How a version did on the test images.</summary>
/// <param name="TestImages">Number of test images.</param>
/// <param name="Accuracy">Share classified rightly; 0 to 1.</param>
/// <param name="AccuracyLow">Lower end of its 95 % interval.</param>
/// <param name="AccuracyHigh">Upper end of its 95 % interval.</param>
/// <param name="MacroF1">Unweighted mean of the classes' F1.</param>
/// <param name="CalibrationError">Expected calibration error; 0 to 1.</param>
public sealed record VersionMetrics(
    int TestImages,
    double Accuracy,
    double AccuracyLow,
    double AccuracyHigh,
    double MacroF1,
    double CalibrationError
);

/// <summary>One move of an alias.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="From">The version that it pointed to before; null where it was new.</param>
/// <param name="To">The version that it points to since; null where it was removed.</param>
/// <param name="IsRollback">Whether it went back.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When (UTC).</param>
/// <param name="By">Who moved it.</param>
public sealed record AliasMove(string Alias, int? From, int? To, bool IsRollback, string? Reason, DateTime At, string By);

/// <summary>A data set that runs have used.</summary>
/// <param name="Sha256">Over its images, labels, class names and given splits.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Source">The source in which it was found first.</param>
/// <param name="ImageCount">Number of images.</param>
/// <param name="ClassNames">Its classes, in label order.</param>
/// <param name="CreatedAt">When it became known (UTC).</param>
public sealed record DatasetSummary(
    string Sha256,
    string Name,
    string Source,
    int ImageCount,
    IReadOnlyList<string> ClassNames,
    DateTime CreatedAt
);

/// <summary>A base that a run can name by one word.</summary>
/// <param name="Name">The word.</param>
/// <param name="Title">Name of the network for people.</param>
/// <param name="Description">What it is good for.</param>
/// <param name="TrainedOn">Data that it was trained on.</param>
/// <param name="Licence">SPDX identifier of the weights' licence.</param>
/// <param name="InputSize">Side in pixels of the images that it was made for.</param>
/// <param name="FeatureSize">Numbers that an image is turned into.</param>
/// <param name="Megabytes">Length of the file, about.</param>
/// <param name="IsHere">Whether the file is at hand.</param>
public sealed record BackboneSummary(
    string Name,
    string Title,
    string Description,
    string TrainedOn,
    string Licence,
    int InputSize,
    int? FeatureSize,
    int? Megabytes,
    bool IsHere
);

/// <summary>One change: who, what, when.</summary>
/// <param name="Id">Identity, in the order of time.</param>
/// <param name="At">When (UTC).</param>
/// <param name="ActorKind">How the actor came to act: <c>key</c>, <c>local</c> or <c>message</c>.</param>
/// <param name="Actor">Who acted.</param>
/// <param name="Action">What was done.</param>
/// <param name="Subject">To what.</param>
/// <param name="Detail">What else there is to know.</param>
public sealed record AuditRecord(Guid Id, DateTime At, string ActorKind, string Actor, string Action, string Subject, string? Detail);

/// <summary>What a collection removed from the volume, or would remove.</summary>
/// <param name="DryRun">Whether nothing was removed.</param>
/// <param name="Bytes">What it frees in all.</param>
/// <param name="Refused">Why orphans were left, where they were.</param>
/// <param name="Items">One by one.</param>
public sealed record CollectionReport(bool DryRun, long Bytes, string? Refused, IReadOnlyList<CollectedItem> Items);

/// <summary>Something that is removed, or would be.</summary>
/// <param name="Kind">checkpoint, features, images or orphan.</param>
/// <param name="Name">A file below the volume's root, or a key.</param>
/// <param name="Reason">Why it may go.</param>
/// <param name="Bytes">What that frees.</param>
public sealed record CollectedItem(string Kind, string Name, string Reason, long Bytes);

/// <summary>A version beside another one, on the same test images.</summary>
/// <param name="Images">Test images.</param>
/// <param name="Right">Those that the version has right.</param>
/// <param name="OtherRight">Those that the other has right.</param>
/// <param name="RightAlone">Those that the version has right and the other wrong.</param>
/// <param name="OtherRightAlone">Those that the other has right and the version wrong.</param>
/// <param name="PValue">Of McNemar's exact test, two-sided.</param>
public sealed record VersionComparison(int Images, int Right, int OtherRight, int RightAlone, int OtherRightAlone, double PValue);
