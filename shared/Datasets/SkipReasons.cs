using System.Globalization;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;

namespace Distributed.Datasets;

/// <summary>The reasons for which files are skipped, in words, and what a person can do about each.</summary>
public static class SkipReasons
{
    /// <summary>The reason as it follows a count: "4 damaged".</summary>
    public static string Words(SkipReason reason, int count) =>
        reason switch
        {
            SkipReason.LinkOutside => count == 1 ? "link that leads outside" : "links that lead outside",
            SkipReason.LinkDangling => count == 1 ? "link to nothing" : "links to nothing",
            SkipReason.LinkLoop => count == 1 ? "link in a circle" : "links in a circle",
            SkipReason.NameNotUtf8 => count == 1 ? "name that is not UTF-8" : "names that are not UTF-8",
            SkipReason.NotAnImage => count == 1 ? "not an image" : "not images",
            SkipReason.UnsupportedFormat => "unsupported format",
            SkipReason.Damaged => "damaged",
            SkipReason.TooLarge => "too large",
            SkipReason.DecodingFailed => "decoding failed",
            SkipReason.NoLabel => count == 1 ? "image without a label" : "images without a label",
            _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "Not a reason."),
        };

    /// <summary>What to do about it, as an order: "copy them again from their source".</summary>
    public static string Advice(SkipReason reason) =>
        reason switch
        {
            SkipReason.LinkOutside => "put the files themselves there, or name the folder they lead to in Data:Roots",
            SkipReason.LinkDangling => "remove the links, or restore what they lead to",
            SkipReason.LinkLoop => "remove the links",
            SkipReason.NameNotUtf8 => "rename the files",
            SkipReason.NotAnImage => "move them out of the class folders",
            SkipReason.UnsupportedFormat => "convert them to JPEG or PNG",
            SkipReason.Damaged => "copy them again from their source",
            SkipReason.TooLarge => "scale them down",
            SkipReason.DecodingFailed => "save them again as JPEG or PNG",
            SkipReason.NoLabel => "add rows for them to the table, or move them elsewhere",
            _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "Not a reason."),
        };

    /// <summary>Every skipped file of a source: those that its file index skipped, then those that packing did.</summary>
    /// <param name="fileIndex">The file index.</param>
    /// <param name="packed">One record for every entry.</param>
    public static IReadOnlyList<SkippedFile> Find(FileIndex fileIndex, IEnumerable<PackedImage> packed)
    {
        ArgumentNullException.ThrowIfNull(fileIndex);
        ArgumentNullException.ThrowIfNull(packed);
        return
        [
            .. fileIndex.Skipped,
            .. packed
                .Where(image => image.Skipped is not null)
                .Select(image => new SkippedFile(fileIndex.Entries[image.Entry].Name, image.Reason ?? SkipReason.Damaged, image.Skipped!)),
        ];
    }

    /// <summary>The skipped files by reason, the most frequent first.</summary>
    public static IReadOnlyList<SkippedGroup> Group(IEnumerable<SkippedFile> skipped) =>
        [
            .. skipped
                .GroupBy(file => file.Reason)
                .Select(group => new SkippedGroup(group.Key, group.Count(), AdviceFor(group)))
                .OrderByDescending(group => group.Count)
                .ThenBy(group => group.Reason),
        ];

    /// <summary>Groups as a person reads them: "8 unsupported format (HEIC: convert to JPEG or PNG), 4 damaged (…)".</summary>
    public static string Describe(IEnumerable<SkippedGroup> groups) =>
        string.Join(
            ", ",
            groups.Select(group =>
                string.Create(CultureInfo.InvariantCulture, $"{group.Count:N0} {Words(group.Reason, group.Count)} ({group.Advice})")
            )
        );

    /// <summary>What to do about a file that is of another format, or something else in its place, depends on what it is, so its details tell; the most frequent ones.</summary>
    private static string AdviceFor(IGrouping<SkipReason, SkippedFile> group)
    {
        const int MostFormats = 3;
        if (group.Key is not (SkipReason.UnsupportedFormat or SkipReason.NotAnImage))
        {
            return Advice(group.Key);
        }

        var details = group
            .GroupBy(file => file.Detail, StringComparer.Ordinal)
            .OrderByDescending(files => files.Count())
            .Select(files => files.Key)
            .ToList();
        return string.Join("; ", details.Take(MostFormats))
            + (
                details.Count > MostFormats
                    ? string.Create(CultureInfo.InvariantCulture, $"; and {details.Count - MostFormats:N0} more")
                    : ""
            );
    }
}

/// <summary>The files that were skipped for one reason.</summary>
/// <param name="Reason">The reason.</param>
/// <param name="Count">Number of files.</param>
/// <param name="Advice">What to do about them.</param>
public sealed record SkippedGroup(SkipReason Reason, int Count, string Advice);
