using Distributed.Datasets;
using Distributed.Datasets.Splits;

namespace Distributed.AdminApi.Images;

/// <summary>Which split an image is in: that of a run, where one is asked for, else the one that the source gives.</summary>
/// <param name="images">The images.</param>
/// <param name="drawn">The run's splits; null for those of the source.</param>
internal sealed class ImageSplits(IngestedImages images, DatasetSplit? drawn)
{
    private const string Removed = "removed";
    private const string Unassigned = "unassigned";

    /// <summary>The splits that there may be.</summary>
    public IReadOnlyList<string> Names { get; } =
        drawn is null
            ? [.. Enum.GetNames<SplitName>().Select(name => name.ToLowerInvariant())]
            : ["train", "validation", "test", Removed, Unassigned];

    /// <summary>The split of an image; unassigned where it has none.</summary>
    public string Of(int row) =>
        drawn is null ? images.Manifest.Images[row].Split.ToString().ToLowerInvariant()
        : Has(drawn.Train, row) ? "train"
        : Has(drawn.Validation, row) ? "validation"
        : Has(drawn.Test, row) ? "test"
        : Has(drawn.RemovedDuplicates, row) ? Removed
        : Unassigned;

    /// <summary>How many images of each class are in each split that has some of them.</summary>
    public IReadOnlyList<Dictionary<string, int>> CountByLabel()
    {
        var all = images.Manifest.Images;
        var counts = images.RowsByLabel.Select(_ => new Dictionary<string, int>(StringComparer.Ordinal)).ToArray();
        if (counts.Length == 0)
        {
            // Classes were not asked for, and labels say nothing.
            return counts;
        }

        if (drawn is null)
        {
            foreach (var split in Enum.GetValues<SplitName>())
            {
                Add(split.ToString().ToLowerInvariant(), all.Where(image => image.Split == split).Select(image => image.Label));
            }

            return counts;
        }

        foreach (
            var (name, rows) in new[]
            {
                ("train", drawn.Train),
                ("validation", drawn.Validation),
                ("test", drawn.Test),
                (Removed, drawn.RemovedDuplicates),
            }
        )
        {
            Add(name, rows.Select(row => all[row].Label));
        }

        for (var label = 0; label < counts.Length; label++)
        {
            if (images.RowsByLabel[label].Length - counts[label].Values.Sum() is > 0 and var others)
            {
                counts[label][Unassigned] = others;
            }
        }

        return counts;

        void Add(string split, IEnumerable<int> labels)
        {
            foreach (var (label, count) in labels.CountBy(label => label))
            {
                counts[label][split] = count;
            }
        }
    }

    /// <summary>An image as answers have it.</summary>
    public DatasetImage Describe(int row)
    {
        var image = images.Manifest.Images[row];
        return new DatasetImage(row, image.Name, image.Sha256, images.Manifest.ClassNames.ElementAtOrDefault(image.Label), Of(row));
    }

    private static bool Has(int[] rows, int row) => Array.BinarySearch(rows, row) >= 0;
}
