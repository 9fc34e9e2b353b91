using System.Text.Json;
using Distributed.Catalog;
using Distributed.Datasets;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Imaging;

namespace Distributed.Artifacts;

/// <summary>What one ingestion found, from its own file index and packing records: another source with the same images has other names, and skipped other files.</summary>
public sealed class IngestedDataset
{
    private const int MostSkipped = 100;
    private const int MostContradictions = 20;
    private const int MostOccurrences = 5;
    private const int MostPairs = 5;

    private readonly Lazy<IngestionSummary> _summary;

    /// <summary>Joins a file index with what packing found.</summary>
    /// <param name="fileIndex">The file index.</param>
    /// <param name="packed">One record for every entry, in order.</param>
    /// <exception cref="DatasetException">Too little is left to train and test a classifier.</exception>
    public IngestedDataset(FileIndex fileIndex, IReadOnlyList<PackedImage> packed)
    {
        ArgumentNullException.ThrowIfNull(fileIndex);
        Manifest = DatasetManifest.Create(fileIndex, packed);
        Skipped = SkipReasons.Find(fileIndex, packed);
        _summary = new Lazy<IngestionSummary>(() => Summarize(fileIndex));
    }

    /// <summary>The data set, under this source's names.</summary>
    public DatasetManifest Manifest { get; }

    /// <summary>All files that were seen and cannot be used.</summary>
    public IReadOnlyList<SkippedFile> Skipped { get; }

    /// <summary>What people are shown. All images are compared for it when it is first asked for.</summary>
    public IngestionSummary Summary => _summary.Value;

    private IngestionSummary Summarize(FileIndex fileIndex)
    {
        var duplicates = DuplicateSummary.Of(Manifest.Images);
        var contradictions = DuplicateSummary.FindContradictions(Manifest.Images).ToList();
        return new IngestionSummary
        {
            Name = fileIndex.DisplayName,
            Source = fileIndex.Source,
            Files = fileIndex.Entries.Count + fileIndex.Skipped.Count,
            Images = Manifest.Images.Count,
            Classes = Manifest.ClassNames.Count,
            Splits = new GivenSplits(
                Count(SplitName.Train),
                Count(SplitName.Validation),
                Count(SplitName.Test),
                Count(SplitName.Unassigned)
            ),
            Notes = fileIndex.Notes,
            SkippedCount = Skipped.Count,
            SkippedByReason =
            [
                .. SkipReasons
                    .Group(Skipped)
                    .Select(group => new SkippedByReason(
                        Name(group.Reason),
                        SkipReasons.Words(group.Reason, group.Count),
                        group.Count,
                        group.Advice
                    )),
            ],
            Skipped = [.. Skipped.Take(MostSkipped).Select(file => new SkippedInput(file.Name, Name(file.Reason), file.Detail))],
            Duplicates = new DuplicateCounts(
                duplicates.Groups,
                duplicates.WithinSplits,
                duplicates.AcrossSplits,
                duplicates.DifferentLabels
            ),
            Contradictions =
            [
                .. contradictions
                    .Take(MostContradictions)
                    .Select(image => new ContradictingImage([
                        .. image
                            .DistinctBy(occurrence => occurrence.Label)
                            .Take(MostOccurrences)
                            .Select(occurrence => new LabelledImage(occurrence.Name, Manifest.ClassNames[occurrence.Label])),
                    ])),
            ],
            ContradictingClasses = FindPairs(Manifest, contradictions),
        };

        int Count(SplitName split) => Manifest.Images.Count(image => image.Split == split);
    }

    private static IReadOnlyList<ContradictingClasses> FindPairs(
        DatasetManifest manifest,
        List<IReadOnlyList<ManifestImage>> contradictions
    )
    {
        var different = new Lazy<Dictionary<int, int>>(() =>
            manifest
                .Images.GroupBy(image => image.Label)
                .ToDictionary(
                    ofClass => ofClass.Key,
                    ofClass => ofClass.Select(image => image.Sha256).Distinct(StringComparer.Ordinal).Count()
                )
        );
        return
        [
            .. contradictions
                .SelectMany(image => PairsOf([.. image.Select(occurrence => occurrence.Label).Distinct().Order()]))
                .CountBy(pair => pair)
                .OrderByDescending(pair => pair.Value)
                .ThenBy(pair => pair.Key)
                .Take(MostPairs)
                .Select(pair => new ContradictingClasses(
                    manifest.ClassNames[pair.Key.First],
                    manifest.ClassNames[pair.Key.Second],
                    pair.Value,
                    pair.Value == different.Value[pair.Key.Second] ? manifest.ClassNames[pair.Key.Second]
                        : pair.Value == different.Value[pair.Key.First] ? manifest.ClassNames[pair.Key.First]
                        : null
                )),
        ];
    }

    /// <summary>The pairs of the first ten classes: an image in all of a thousand must not cost their square.</summary>
    private static IEnumerable<(int First, int Second)> PairsOf(int[] labels) =>
        labels.Take(10).SelectMany((label, index) => labels.Take(index).Select(earlier => (earlier, label)));

    private static string Name(SkipReason reason) => JsonNamingPolicy.CamelCase.ConvertName($"{reason}");
}
