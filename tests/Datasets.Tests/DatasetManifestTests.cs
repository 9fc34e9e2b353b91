using System.Text.Json;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Splits;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

public sealed class DatasetManifestTests
{
    private static readonly ListedImage[] Entries =
    [
        new("train/a/1", 0, SplitName.Train),
        new("train/a/2", 0, SplitName.Train),
        new("train/b/1", 1, SplitName.Train),
        new("train/b/2", 1, SplitName.Train),
        new("test/a/1", 0, SplitName.Test),
        new("test/b/1", 1, SplitName.Test),
    ];

    [Fact]
    public void Skipped_images_are_no_images_of_the_set_and_folds_follow_the_others()
    {
        var fileIndex = FileIndexes.Create(
            Entries,
            folds:
            [
                [0, 2],
                [1, 3],
            ]
        );

        var manifest = DatasetManifest.Create(
            fileIndex,
            Enumerable.Range(0, 6).Select(entry => FileIndexes.Packed(entry, entry, entry == 1 ? "the file is cut short" : null))
        );

        Assert.Equal(["train/a/1", "train/b/1", "train/b/2", "test/a/1", "test/b/1"], manifest.Images.Select(image => image.Name));
        Assert.Equal(
            [
                [0, 1],
                [2],
            ],
            manifest.Folds!
        );
    }

    [Fact]
    public void Equal_images_are_counted_within_and_across_splits()
    {
        var manifest = FileIndexes.Manifest([
            (0, SplitName.Train, 1),
            (0, SplitName.Train, 1),
            (1, SplitName.Train, 1),
            (1, SplitName.Train, 2),
            (0, SplitName.Test, 2),
            (1, SplitName.Test, 3),
        ]);

        Assert.Equal(
            new DuplicateSummary(Groups: 2, WithinSplits: 2, AcrossSplits: 1, DifferentLabels: 2),
            DuplicateSummary.Of(manifest.Images)
        );
        Assert.Equal(
            [
                ["0", "1", "2"],
                ["3", "4"],
            ],
            DuplicateSummary.FindContradictions(manifest.Images).Select(image => image.Select(occurrence => occurrence.Name))
        );
    }

    [Fact]
    public void Skipped_files_are_counted_by_reason_with_what_to_do_about_each()
    {
        var fileIndex = FileIndexes.Create(Entries) with
        {
            Skipped = [new SkippedFile("train/a/link", SkipReason.LinkDangling, "the link leads to nothing")],
        };
        const string Heic = "it is a HEIC image; convert it to JPEG or PNG";
        var skipped = SkipReasons.Find(
            fileIndex,
            Enumerable
                .Range(0, 6)
                .Select(entry =>
                    entry switch
                    {
                        0 => FileIndexes.Packed(entry, entry, "the file is cut short", SkipReason.Damaged),
                        1 or 3 => FileIndexes.Packed(entry, entry, Heic, SkipReason.UnsupportedFormat),
                        // As records of earlier versions have it.
                        4 => FileIndexes.Packed(entry, entry, "the file is empty"),
                        _ => FileIndexes.Packed(entry, entry),
                    }
                )
        );

        Assert.Equal(["train/a/link", "train/a/1", "train/a/2", "train/b/2", "test/a/1"], skipped.Select(file => file.Name));
        Assert.Equal(
            [
                ("UnsupportedFormat", 2, Heic),
                ("Damaged", 2, SkipReasons.Advice(SkipReason.Damaged)),
                ("LinkDangling", 1, SkipReasons.Advice(SkipReason.LinkDangling)),
            ],
            SkipReasons.Group(skipped).Select(group => ($"{group.Reason}", group.Count, group.Advice))
        );
        Assert.StartsWith(
            $"2 unsupported format ({Heic}), 2 damaged (",
            SkipReasons.Describe(SkipReasons.Group(skipped)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void What_stands_in_place_of_images_is_told_with_what_to_do_and_how_many_more_kinds_there_are()
    {
        string[] details =
        [
            "it is a Git LFS pointer: fetch it",
            "it is a zip archive; unpack it",
            "it is a program",
            "it is a text file",
            "it is a Git LFS pointer: fetch it",
        ];

        var group = Assert.Single(
            SkipReasons.Group(details.Select((detail, i) => new SkippedFile($"a/{i}", SkipReason.NotAnImage, detail)))
        );

        Assert.Equal("it is a Git LFS pointer: fetch it; it is a zip archive; unpack it; it is a program; and 1 more", group.Advice);
        Assert.StartsWith("5 not images (it is a Git LFS pointer", SkipReasons.Describe([group]), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_reason_has_words_and_advice() =>
        Assert.All(
            Enum.GetValues<SkipReason>(),
            reason => Assert.True(SkipReasons.Words(reason, 1).Length > 0 && SkipReasons.Advice(reason).Length > 0)
        );

    [Fact]
    public void Manifests_and_records_of_earlier_versions_are_read()
    {
        var manifest = JsonSerializer.Deserialize<DatasetManifest>(
            """{"displayName":"set","format":"imageFolder","source":"/data","sha256":"00","classNames":["a"],"images":[],"quarantined":[{"name":"n","reason":"r"}],"folds":null,"duplicates":{"groups":0,"withinSplits":0,"acrossSplits":0,"differentLabels":0}}""",
            DatasetJson.Options
        )!;
        var record = JsonSerializer.Deserialize<PackedImage>(
            """{"entry":3,"sha256":"00","width":0,"height":0,"quarantined":"the file is empty"}""",
            DatasetJson.Options
        )!;

        Assert.Equal("set", manifest.DisplayName);
        Assert.Equal(new PackedImage(3, "00", 0, 0, "the file is empty"), record);
    }

    [Fact]
    public void The_identity_is_that_of_images_labels_splits_names_and_folds_alone()
    {
        var original = Create(
            FileIndexes.Create(
                Entries,
                folds:
                [
                    [0, 2],
                ]
            )
        );

        Assert.Equal(
            original.Sha256,
            Create(
                FileIndexes.Create(
                    Entries,
                    folds:
                    [
                        [0, 2],
                    ]
                ) with
                {
                    DisplayName = "other",
                    Root = "/elsewhere",
                    Fingerprint = "1",
                }
            ).Sha256
        );
        Assert.Equal(
            original.Sha256,
            Create(
                FileIndexes.Create(
                    [.. Entries.Select(entry => entry with { Name = "renamed " + entry.Name })],
                    folds:
                    [
                        [0, 2],
                    ]
                )
            ).Sha256
        );
        Assert.Equal(6, new[]
            {
                original,
                Create(FileIndexes.Create(Entries)),
                Create(
                    FileIndexes.Create(
                        Entries,
                        folds:
                        [
                            [0, 3],
                        ]
                    )
                ),
                Create(
                    FileIndexes.Create(
                        Entries,
                        folds:
                        [
                            [0, 2],
                        ]
                    ),
                    content: 100
                ),
                Create(
                    FileIndexes.Create(
                        Entries,
                        folds:
                        [
                            [0, 2],
                        ]
                    ) with
                    {
                        ClassNames = ["class0", "other"],
                    }
                ),
                Create(
                    FileIndexes.Create(
                        [Entries[0], Entries[1] with { Split = SplitName.Validation }, .. Entries[2..]],
                        folds:
                        [
                            [0, 2],
                        ]
                    )
                ),
            }.Select(manifest => manifest.Sha256).Distinct().Count());
    }

    [Fact]
    public void A_manifest_survives_JSON()
    {
        var manifest = Create(
            FileIndexes.Create(
                Entries,
                folds:
                [
                    [0, 2],
                ]
            )
        );

        var back = JsonSerializer.Deserialize<DatasetManifest>(
            JsonSerializer.Serialize(manifest, DatasetJson.Options),
            DatasetJson.Options
        )!;

        Assert.Equal(manifest.Images, back.Images);
        Assert.Equal(manifest.Folds!, back.Folds!);
        Assert.Equal((manifest.Sha256, manifest.Format), (back.Sha256, back.Format));
    }

    [Theory]
    [InlineData("no usable images", 0, 1, 2, 3, 4, 5)]
    [InlineData("'class1'", 2, 3)]
    [InlineData("no usable test images", 4, 5)]
    public void Too_little_left_is_refused_with_the_first_reason(string complaint, params int[] skipped)
    {
        var refused = Assert.Throws<DatasetException>(() =>
            DatasetManifest.Create(
                FileIndexes.Create(Entries),
                Enumerable
                    .Range(0, 6)
                    .Select(entry => FileIndexes.Packed(entry, entry, skipped.Contains(entry) ? "the file is empty" : null))
            )
        );

        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
        Assert.Contains(Entries[skipped[0]].Name, refused.Message, StringComparison.Ordinal);
        Assert.Contains("the file is empty", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Records_that_are_not_those_of_the_file_index_are_a_mistake_of_the_caller()
    {
        var fileIndex = FileIndexes.Create(Entries);

        Assert.Throws<ArgumentException>(() =>
            DatasetManifest.Create(fileIndex, Enumerable.Range(0, 5).Select(entry => FileIndexes.Packed(entry, entry)))
        );
        Assert.Throws<ArgumentException>(() =>
            DatasetManifest.Create(fileIndex, Enumerable.Range(0, 7).Select(entry => FileIndexes.Packed(entry, entry)))
        );
        Assert.Throws<ArgumentException>(() =>
            DatasetManifest.Create(fileIndex, Enumerable.Range(1, 6).Select(entry => FileIndexes.Packed(entry, entry)))
        );
    }

    private static DatasetManifest Create(FileIndex fileIndex, int content = 0) =>
        DatasetManifest.Create(
            fileIndex,
            Enumerable.Range(0, fileIndex.Entries.Count).Select(entry => FileIndexes.Packed(entry, content + entry))
        );
}
