namespace Distributed.AdminApi.Images;

/// <summary>An image of a data set.</summary>
/// <param name="Index">Its row in the data set.</param>
/// <param name="Name">Its name in the source.</param>
/// <param name="Sha256">SHA-256 of its bytes, by which its picture is asked for.</param>
/// <param name="ClassName">Its class; null in a data set without classes.</param>
/// <param name="Split">The split that the run draws it to, or without a run the one that the source gives it: train, validation, test, removed, unassigned.</param>
public sealed record DatasetImage(int Index, string Name, string Sha256, string? ClassName, string Split);

/// <summary>Some of the images.</summary>
/// <param name="Items">The images.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record DatasetImagePage(IReadOnlyList<DatasetImage> Items, int? Next);

/// <summary>A class of a data set.</summary>
/// <param name="Label">Its index.</param>
/// <param name="Name">Its name.</param>
/// <param name="Images">Number of its images.</param>
/// <param name="Splits">Its images by split.</param>
/// <param name="Samples">Some of them, spread evenly.</param>
public sealed record DatasetClass(
    int Label,
    string Name,
    int Images,
    IReadOnlyDictionary<string, int> Splits,
    IReadOnlyList<DatasetImage> Samples
);

/// <summary>The classes of a data set.</summary>
/// <param name="Images">Number of images.</param>
/// <param name="Imbalance">Images of the largest class for each of the smallest that has some; null without classes.</param>
/// <param name="Items">The classes, in the order of their labels.</param>
public sealed record DatasetClasses(int Images, double? Imbalance, IReadOnlyList<DatasetClass> Items);

/// <summary>A file that was seen and is not used.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Reason">The reason for programs, such as <c>unsupportedFormat</c>.</param>
/// <param name="Detail">The reason in words.</param>
/// <param name="Advice">What to do about it.</param>
public sealed record SkippedImage(string Name, string Reason, string Detail, string Advice);

/// <summary>Some of the skipped files.</summary>
/// <param name="Total">How many there are.</param>
/// <param name="Items">The files.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record SkippedImagePage(int Total, IReadOnlyList<SkippedImage> Items, int? Next);

/// <summary>An image that occurs more than once, bit for bit.</summary>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="AcrossSplits">Whether it occurs in more than one split.</param>
/// <param name="DifferentClasses">Whether it occurs in more than one class.</param>
/// <param name="Occurrences">Where; the first 20.</param>
/// <param name="Count">How often.</param>
public sealed record DuplicatedImage(
    string Sha256,
    bool AcrossSplits,
    bool DifferentClasses,
    IReadOnlyList<DatasetImage> Occurrences,
    int Count
);

/// <summary>Some of the images that occur more than once.</summary>
/// <param name="Total">How many there are.</param>
/// <param name="Items">The images, in the order of their first occurrence.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record DuplicatedImagePage(int Total, IReadOnlyList<DuplicatedImage> Items, int? Next);

/// <summary>What a run's head made of a test image.</summary>
/// <param name="Index">Its row in the data set.</param>
/// <param name="Name">Its name in the source.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="Actual">Its class.</param>
/// <param name="Predicted">The class that was named.</param>
/// <param name="IsRight">Whether they are the same.</param>
/// <param name="Probability">Probability of the class that was named; 0 to 1.</param>
/// <param name="ActualProbability">Probability of its own class.</param>
/// <param name="IsLeaked">Whether a near duplicate is among training and validation images; null where none was sought.</param>
public sealed record TestedImage(
    int Index,
    string Name,
    string Sha256,
    string Actual,
    string Predicted,
    bool IsRight,
    double Probability,
    double ActualProbability,
    bool? IsLeaked
);

/// <summary>Some of a run's test images.</summary>
/// <param name="Total">How many there are that were asked for.</param>
/// <param name="Items">The images, in the order that was asked for.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record TestedImagePage(int Total, IReadOnlyList<TestedImage> Items, int? Next);

/// <summary>A training or validation image whose label was judged by all others.</summary>
/// <param name="Index">Its row in the data set.</param>
/// <param name="Name">Its name in the source.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="ClassName">Its class.</param>
/// <param name="ClassProbability">Probability of that class; 0 to 1.</param>
/// <param name="Suggested">The most probable class.</param>
/// <param name="SuggestedProbability">Its probability.</param>
public sealed record JudgedLabelImage(
    int Index,
    string Name,
    string Sha256,
    string ClassName,
    double ClassProbability,
    string Suggested,
    double SuggestedProbability
);

/// <summary>Some of the judged labels.</summary>
/// <param name="Total">How many there are that were asked for.</param>
/// <param name="Items">The images, the least probable label first.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
/// <param name="NotJudged">Why labels were not judged; null where they were.</param>
public sealed record JudgedLabelPage(int Total, IReadOnlyList<JudgedLabelImage> Items, int? Next, string? NotJudged);

/// <summary>A test image with a version of it that the head learned from.</summary>
/// <param name="Test">The test image.</param>
/// <param name="Training">The training or validation image.</param>
/// <param name="Similarity">Cosine of their standardised features, -1 to 1.</param>
/// <param name="Correlation">Correlation of their pixels, -1 to 1.</param>
public sealed record NearDuplicatePair(DatasetImage Test, DatasetImage Training, double Similarity, double Correlation);

/// <summary>Some of the near duplicates.</summary>
/// <param name="Total">How many there are.</param>
/// <param name="Items">The pairs, the most alike first.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
/// <param name="NotSought">Why none was sought; null where they were.</param>
public sealed record NearDuplicatePage(int Total, IReadOnlyList<NearDuplicatePair> Items, int? Next, string? NotSought);
