using Distributed.Datasets;
using Distributed.Datasets.Splits;

namespace Distributed.AdminApi.Images;

/// <summary>Which split an image is in: that of a run, where one is asked for, else the one that the source gives.</summary>
/// <param name="images">The images.</param>
/// <param name="drawn">The run's splits; null for those of the source.</param>
internal sealed class ImageSplits(IngestedImages images, DatasetSplit? drawn)
{
    private const string Removed = "removed";

    /// <summary>The splits that there may be.</summary>
    public IReadOnlyList<string> Names { get; } =
        drawn is null
            ? [.. Enum.GetNames<SplitName>().Select(name => name.ToLowerInvariant())]
            : ["train", "validation", "test", Removed, "unassigned"];

    /// <summary>The split of an image; unassigned where it has none.</summary>
    public string Of(int row) =>
        drawn is null ? images.Manifest.Images[row].Split.ToString().ToLowerInvariant()
        : Has(drawn.Train, row) ? "train"
        : Has(drawn.Validation, row) ? "validation"
        : Has(drawn.Test, row) ? "test"
        : Has(drawn.RemovedDuplicates, row) ? Removed
        : "unassigned";

    /// <summary>An image as answers have it.</summary>
    public DatasetImage Describe(int row)
    {
        var image = images.Manifest.Images[row];
        return new DatasetImage(row, image.Name, image.Sha256, images.Manifest.ClassNames.ElementAtOrDefault(image.Label), Of(row));
    }

    private static bool Has(int[] rows, int row) => Array.BinarySearch(rows, row) >= 0;
}
