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
