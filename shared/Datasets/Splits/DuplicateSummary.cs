namespace Distributed.Datasets.Splits;

/// <summary>Images that occur more than once, bit for bit.</summary>
/// <param name="Groups">Number of different images that occur more than once.</param>
/// <param name="WithinSplits">Number of images that repeat an earlier one of their own split.</param>
/// <param name="AcrossSplits">Number of different images that occur in more than one split.</param>
/// <param name="DifferentLabels">Number of different images that occur under more than one label.</param>
public sealed record DuplicateSummary(int Groups, int WithinSplits, int AcrossSplits, int DifferentLabels)
{
    /// <summary>Counts the duplicates of a data set.</summary>
    public static DuplicateSummary Of(IReadOnlyList<ManifestImage> images)
    {
        var groups = images.GroupBy(image => image.Sha256, StringComparer.Ordinal).Where(group => group.Skip(1).Any()).ToList();
        return new DuplicateSummary(
            groups.Count,
            groups.Sum(group => group.Count() - group.Select(image => image.Split).Distinct().Count()),
            groups.Count(group => group.Select(image => image.Split).Distinct().Skip(1).Any()),
            groups.Count(group => group.Select(image => image.Label).Distinct().Skip(1).Any())
        );
    }

    /// <summary>The images that occur under more than one label, in the order of their first occurrence: each a list of its occurrences.</summary>
    public static IEnumerable<IReadOnlyList<ManifestImage>> FindContradictions(IReadOnlyList<ManifestImage> images) =>
        images
            .GroupBy(image => image.Sha256, StringComparer.Ordinal)
            .Where(group => group.Select(image => image.Label).Distinct().Skip(1).Any())
            .Select(group => (IReadOnlyList<ManifestImage>)[.. group]);
}
