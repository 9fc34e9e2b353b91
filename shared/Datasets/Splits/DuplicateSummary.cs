namespace Distributed.Datasets.Splits;

/// <summary>Images that occur more than once, bit for bit.</summary>
/// <param name="Groups">Number of different images that occur more than once.</param>
/// <param name="WithinSplits">Number of images that repeat an earlier one of their own split.</param>
/// <param name="AcrossSplits">Number of different images that occur in more than one split.</param>
/// <param name="DifferentLabels">Number of different images that occur under more than one label.</param>
public sealed record DuplicateSummary(int Groups, int WithinSplits, int AcrossSplits, int DifferentLabels)
{
    /// <summary>The images that occur more than once, bit for bit, in the order of their first occurrence: each the rows where it does.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> FindCopies(IReadOnlyList<ManifestImage> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var first = new Dictionary<string, int>(images.Count, StringComparer.Ordinal);
        var copies = new SortedDictionary<int, List<int>>();
        for (var row = 0; row < images.Count; row++)
        {
            if (first.TryAdd(images[row].Sha256, row))
            {
                continue;
            }

            var begin = first[images[row].Sha256];
            if (!copies.TryGetValue(begin, out var rows))
            {
                copies[begin] = rows = [begin];
            }

            rows.Add(row);
        }

        return [.. copies.Values];
    }

    /// <summary>Counts the duplicates of a data set.</summary>
    public static DuplicateSummary Of(IReadOnlyList<ManifestImage> images)
    {
        var groups = FindCopies(images);
        return new DuplicateSummary(
            groups.Count,
            groups.Sum(rows => rows.Count - rows.Select(row => images[row].Split).Distinct().Count()),
            groups.Count(rows => rows.Select(row => images[row].Split).Distinct().Skip(1).Any()),
            groups.Count(rows => rows.Select(row => images[row].Label).Distinct().Skip(1).Any())
        );
    }

    /// <summary>The images that occur under more than one label, in the order of their first occurrence: each a list of its occurrences.</summary>
    public static IEnumerable<IReadOnlyList<ManifestImage>> FindContradictions(IReadOnlyList<ManifestImage> images) =>
        FindCopies(images)
            .Where(rows => rows.Select(row => images[row].Label).Distinct().Skip(1).Any())
            .Select(rows => (IReadOnlyList<ManifestImage>)[.. rows.Select(row => images[row])]);
}
