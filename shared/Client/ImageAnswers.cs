namespace Distributed.Client;

/// <summary>A test image of a run, and what its head made of it.</summary>
/// <param name="Name">Its name in the data set.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="Actual">Its class.</param>
/// <param name="Predicted">The class that was named.</param>
/// <param name="IsRight">Whether they are the same.</param>
/// <param name="Probability">Probability of the class that was named; 0 to 1.</param>
/// <param name="ActualProbability">Probability of its own class.</param>
public sealed record TestedImage(
    string Name,
    string Sha256,
    string Actual,
    string Predicted,
    bool IsRight,
    double Probability,
    double ActualProbability
);

/// <summary>A training or validation image whose label was judged by all others.</summary>
/// <param name="Name">Its name in the data set.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="ClassName">Its class.</param>
/// <param name="ClassProbability">Probability of that class; 0 to 1.</param>
/// <param name="Suggested">The most probable class.</param>
/// <param name="SuggestedProbability">Its probability.</param>
public sealed record JudgedLabel(
    string Name,
    string Sha256,
    string ClassName,
    double ClassProbability,
    string Suggested,
    double SuggestedProbability
);

/// <summary>Some of many.</summary>
/// <param name="Total">How many there are.</param>
/// <param name="Items">Those of this page.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
public sealed record CountedPage<T>(int Total, IReadOnlyList<T> Items, int? Next);

/// <summary>Which test images of a run to list.</summary>
public sealed record TestedImageFilter
{
    /// <summary>Only those of this class.</summary>
    public string? Actual { get; init; }

    /// <summary>Only those for which this class was named.</summary>
    public string? Predicted { get; init; }

    /// <summary>Only those that are right, or wrong.</summary>
    public bool? Right { get; init; }

    /// <summary><c>index</c>, <c>confident</c>, <c>unsure</c> or <c>unlikely</c>.</summary>
    public string? Sort { get; init; }

    /// <summary>The previous page's <see cref="CountedPage{T}.Next"/>.</summary>
    public int? After { get; init; }

    /// <summary>Most of a page; 1 to 500.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>The classes of a data set.</summary>
/// <param name="Images">Number of images.</param>
/// <param name="Imbalance">Images of the largest class for each of the smallest that has some; null without classes.</param>
/// <param name="Items">The classes, in label order.</param>
public sealed record DatasetClasses(int Images, double? Imbalance, IReadOnlyList<DatasetClass> Items);

/// <summary>A class of a data set.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Images">Number of its images.</param>
/// <param name="Splits">Its images by split.</param>
/// <param name="Samples">Some of them.</param>
public sealed record DatasetClass(string Name, int Images, IReadOnlyDictionary<string, int> Splits, IReadOnlyList<DatasetImage> Samples);

/// <summary>An image of a data set.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
/// <param name="ClassName">Its class.</param>
/// <param name="Split">Its split.</param>
public sealed record DatasetImage(string Name, string Sha256, string? ClassName, string Split);

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

/// <summary>A test image with a version of it that the head learned from.</summary>
/// <param name="Test">The test image.</param>
/// <param name="Training">The training or validation image.</param>
/// <param name="Similarity">Cosine of their standardised features, -1 to 1.</param>
/// <param name="Correlation">Correlation of their pixels, -1 to 1.</param>
public sealed record NearDuplicatePair(DatasetImage Test, DatasetImage Training, double Similarity, double Correlation);

/// <summary>Some of a run's near duplicates.</summary>
/// <param name="Total">How many there are.</param>
/// <param name="Items">The pairs of this page, the most alike first.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last.</param>
/// <param name="NotSought">Why none was sought; null where they were.</param>
public sealed record NearDuplicatePage(int Total, IReadOnlyList<NearDuplicatePair> Items, int? Next, string? NotSought);

/// <summary>The images of a run in two dimensions, those with like features near each other. Lists have one entry a point.</summary>
/// <param name="Images">Images of the data set.</param>
/// <param name="ClassNames">The classes; a label is an index into it.</param>
/// <param name="SplitNames">The splits; a split is an index into it.</param>
/// <param name="Rows">The image of each point; null where the points are all images in the order of the data set.</param>
/// <param name="X">From left to right, 0 to 65535.</param>
/// <param name="Y">From top to bottom, in the same measure.</param>
/// <param name="Labels">Its class.</param>
/// <param name="Splits">Its split.</param>
/// <param name="Tested">0 for an image that was not tested, 1 for one that the head has right, 2 for a mistake.</param>
public sealed record RunMap(
    int Images,
    IReadOnlyList<string> ClassNames,
    IReadOnlyList<string> SplitNames,
    IReadOnlyList<int>? Rows,
    IReadOnlyList<int> X,
    IReadOnlyList<int> Y,
    IReadOnlyList<int> Labels,
    IReadOnlyList<int> Splits,
    IReadOnlyList<int> Tested
);
