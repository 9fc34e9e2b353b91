namespace Distributed.Catalog;

/// <summary>
/// What one ingestion found in its source: the truth about a run's input, for people. Written once, when the ingestion is complete; terminal, API
/// and report show it, and <see cref="RunWarnings"/> judges it. Lists of names are cut, counts are not.
/// </summary>
public sealed record IngestionSummary
{
    /// <summary>What people call the data set.</summary>
    public required string Name { get; init; }

    /// <summary>The folder that was read.</summary>
    public required string Source { get; init; }

    /// <summary>Files, or images of binary files, that were seen: the images and what was skipped.</summary>
    public required int Files { get; init; }

    /// <summary>Images that can be used.</summary>
    public required int Images { get; init; }

    /// <summary>Number of classes.</summary>
    public required int Classes { get; init; }

    /// <summary>The images by the split that the source gives them.</summary>
    public required GivenSplits Splits { get; init; }

    /// <summary>How the source was understood where that is not plain, a sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Files that were seen and cannot be used.</summary>
    public required int SkippedCount { get; init; }

    /// <summary>The skipped files by reason, the most frequent first.</summary>
    public required IReadOnlyList<SkippedByReason> SkippedByReason { get; init; }

    /// <summary>The skipped files, the first 100 of them.</summary>
    public required IReadOnlyList<SkippedInput> Skipped { get; init; }

    /// <summary>Images that occur more than once, bit for bit.</summary>
    public required DuplicateCounts Duplicates { get; init; }

    /// <summary>Images that occur in more than one class, the first 20 of them.</summary>
    public required IReadOnlyList<ContradictingImage> Contradictions { get; init; }

    /// <summary>The pairs of classes that have images in common, the worst 5 of them.</summary>
    public required IReadOnlyList<ContradictingClasses> ContradictingClasses { get; init; }

    /// <summary>The share of files that were skipped; 0 to 1.</summary>
    public double SkippedShare() => Files == 0 ? 0 : SkippedCount / (double)Files;

    /// <summary>What was skipped in one line: "12 of 400 files: 8 unsupported format (…), 4 damaged (…)"; "none of 400 files".</summary>
    public string DescribeSkipped() =>
        SkippedCount == 0
            ? FormattableString.Invariant($"none of {Files:N0} files")
            : FormattableString.Invariant(
                $"{SkippedCount:N0} of {Files:N0} files: {string.Join(", ", SkippedByReason.Select(group => group.Describe()))}"
            );

    /// <summary>Which splits the source gives, and so which are drawn, in one line.</summary>
    public string DescribeSplits()
    {
        var given = new (int Count, string Name)[] { (Splits.Train, "train"), (Splits.Validation, "validation"), (Splits.Test, "test") }
            .Where(split => split.Count > 0)
            .ToList();
        var text = string.Join(", ", given.Select(split => FormattableString.Invariant($"{split.Count:N0} {split.Name}")));
        return given.Count == 0 ? "none given; train, validation and test are drawn"
            : Splits.Unassigned > 0
                ? FormattableString.Invariant($"given: {text}; the other {Splits.Unassigned:N0} images are divided by drawing")
            : Splits.Validation == 0 ? $"given: {text}; validation is drawn from train"
            : $"given: {text}";
    }

    /// <summary>What occurs more than once in one line; null where nothing does.</summary>
    public string? DescribeDuplicates() =>
        Duplicates.Groups == 0
            ? null
            : FormattableString.Invariant(
                $"{Duplicates.Groups:N0} different {(Duplicates.Groups == 1 ? "image occurs" : "images occur")} more than once: {Duplicates.WithinSplits:N0} {(Duplicates.WithinSplits == 1 ? "copy" : "copies")} within a split, {Duplicates.AcrossSplits:N0} in several splits, {Duplicates.DifferentLabels:N0} in several classes"
            );
}

/// <summary>Images by the split that the source gives them.</summary>
/// <param name="Train">To train on.</param>
/// <param name="Validation">To choose with.</param>
/// <param name="Test">To test on.</param>
/// <param name="Unassigned">Of no given split: the run divides them.</param>
public sealed record GivenSplits(int Train, int Validation, int Test, int Unassigned);

/// <summary>The files that were skipped for one reason.</summary>
/// <param name="Reason">The reason for programs, such as <c>unsupportedFormat</c>.</param>
/// <param name="Words">The reason for people, as it follows a count.</param>
/// <param name="Count">Number of files.</param>
/// <param name="Advice">What to do about them.</param>
public sealed record SkippedByReason(string Reason, string Words, int Count, string Advice)
{
    /// <summary>"8 unsupported format (HEIC: convert to JPEG or PNG)".</summary>
    public string Describe() => FormattableString.Invariant($"{Count:N0} {Words} ({Advice})");
}

/// <summary>One skipped file.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Reason">The reason for programs.</param>
/// <param name="Detail">The reason in words.</param>
public sealed record SkippedInput(string Name, string Reason, string Detail);

/// <summary>Images that occur more than once, bit for bit.</summary>
/// <param name="Groups">Number of different images that occur more than once.</param>
/// <param name="WithinSplits">Number of images that repeat an earlier one of their own split.</param>
/// <param name="AcrossSplits">Number of different images that occur in more than one split.</param>
/// <param name="DifferentLabels">Number of different images that occur in more than one class.</param>
public sealed record DuplicateCounts(int Groups, int WithinSplits, int AcrossSplits, int DifferentLabels);

/// <summary>An image that occurs in more than one class: the labels contradict each other.</summary>
/// <param name="Occurrences">Where; the first 5.</param>
public sealed record ContradictingImage(IReadOnlyList<LabelledImage> Occurrences);

/// <summary>An image with its class.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="ClassName">Its class.</param>
public sealed record LabelledImage(string Name, string ClassName);

/// <summary>Two classes that have images in common.</summary>
/// <param name="First">One class.</param>
/// <param name="Second">The other.</param>
/// <param name="Images">Number of different images that are in both.</param>
/// <param name="Copy">The class all of whose images are in the other one, as in a copied folder; null where there is none.</param>
public sealed record ContradictingClasses(string First, string Second, int Images, string? Copy);
