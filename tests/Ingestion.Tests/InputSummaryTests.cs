using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Imaging;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Ingestion.Tests;

/// <summary>What is told of a run's input is of its own ingestion.</summary>
public sealed class InputSummaryTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() =>
        _services = await ServiceHarness.StartAsync((builder, consumers) => builder.AddIngestion(consumers));

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task Another_folder_with_the_same_images_is_told_under_its_own_name_with_its_own_skipped_files()
    {
        var (first, _) = await IngestAsync(_services.WritePictures("pets"));
        _services.WritePictures("animals");
        _services.WriteFile("animals/class0/notes.txt", "no picture"u8.ToArray());
        var (second, told) = await IngestAsync(_services.Data("animals"));

        Assert.Equal(first.DatasetSha256, second.DatasetSha256);
        Assert.Equal(
            ("animals", _services.Data("animals"), 13, 12, 1),
            (told.Name, told.Source, told.Files, told.Images, told.SkippedCount)
        );
        Assert.Equal(["class0/notes.txt"], told.Skipped.Select(file => file.Name));
        // And the first one's is as it was, also where its packing is known already.
        var (_, again) = await IngestAsync(_services.Data("pets"));
        Assert.Equal(("pets", _services.Data("pets"), 12, 0), (again.Name, again.Source, again.Files, again.SkippedCount));
        Assert.Equal(2, await _services.CountStartsAsync(nameof(CompleteDataset)));
    }

    [Fact]
    public async Task The_same_image_in_two_classes_is_told_with_its_names_and_a_copied_class_too()
    {
        _services.WritePictures("pets", classes: 3);
        _services.WriteFile("pets/class1/mislaid.png", ServiceHarness.Picture(0, 2));
        for (var image = 0; image < 6; image++)
        {
            _services.WriteFile($"pets/class2 (copy)/{image:D3}.png", ServiceHarness.Picture(2, image));
        }

        var (_, told) = await IngestAsync(_services.Data("pets"));

        Assert.Equal(new DuplicateCounts(Groups: 7, WithinSplits: 7, AcrossSplits: 0, DifferentLabels: 7), told.Duplicates);
        Assert.Equal(
            [("class0/002.png", "class0"), ("class1/mislaid.png", "class1")],
            told.Contradictions[0].Occurrences.Select(image => (image.Name, image.ClassName))
        );
        Assert.Equal(7, told.Contradictions.Count);
        Assert.Equal(
            [
                new ContradictingClasses("class2", "class2 (copy)", 6, "class2 (copy)"),
                new ContradictingClasses("class0", "class1", 1, null),
            ],
            told.ContradictingClasses
        );
    }

    [Fact]
    public async Task Given_splits_are_told()
    {
        _services.WritePictures("pets/train", imagesAClass: 5);
        _services.WriteFile("pets/test/class0/1.png", ServiceHarness.Picture(5, 1));
        _services.WriteFile("pets/test/class1/1.png", ServiceHarness.Picture(5, 2));

        var (_, told) = await IngestAsync(_services.Data("pets"));

        Assert.Equal(new GivenSplits(10, 0, 2, 0), told.Splits);
    }

    [Fact]
    public void A_file_index_that_is_understood_in_another_way_is_another_ingestion_though_its_files_are_the_same()
    {
        var fileIndex = new FileIndex(
            SourceFormat.ImageFolder,
            "/data/pets",
            "pets",
            ["a", "b"],
            [new("a/1", 0, SplitName.Unassigned), new("b/1", 1, SplitName.Unassigned)],
            null,
            "fingerprint"
        );
        FileIndex[] others =
        [
            fileIndex with
            {
                DisplayName = "others",
            },
            fileIndex with
            {
                ClassNames = ["a", "c"],
            },
            fileIndex with
            {
                Entries = [fileIndex.Entries[0], fileIndex.Entries[1] with { Split = SplitName.Test }],
            },
            fileIndex with
            {
                Entries = [fileIndex.Entries[0], fileIndex.Entries[1] with { Label = 0 }],
            },
            fileIndex with
            {
                Skipped = [new SkippedFile("a/link", SkipReason.LinkDangling, "the link leads to nothing")],
            },
            fileIndex with
            {
                Notes = ["'testing' is read as the test split."],
            },
        ];

        Assert.Equal(KeyOf(fileIndex, 96, FitMode.Crop), KeyOf(fileIndex with { Entries = [.. fileIndex.Entries] }, 96, FitMode.Crop));
        Assert.Equal(
            others.Length + 4,
            new[]
            {
                KeyOf(fileIndex, 96, FitMode.Crop),
                KeyOf(fileIndex, 97, FitMode.Crop),
                KeyOf(fileIndex, 96, FitMode.Pad),
                KeyOf(fileIndex, 96, FitMode.Crop, JpegDecoding.Full),
            }
                .Concat(others.Select(other => KeyOf(other, 96, FitMode.Crop)))
                .Distinct()
                .Count()
        );
    }

    private static string KeyOf(FileIndex fileIndex, int size, FitMode fit, JpegDecoding decoding = JpegDecoding.Scaled) =>
        IngestionKey.Of(fileIndex, new ImagePreparation(size, fit, decoding));

    private async Task<(Run Run, IngestionSummary Summary)> IngestAsync(string dataset)
    {
        var run = await _services.RunAsync(new RunSpecification { Dataset = dataset, InputSize = 32 }, RunState.Extracting);
        return (
            run,
            await _services.QueryAsync(context =>
                context.Ingestions.Where(row => row.Key == run.IngestionKey).Select(row => row.Summary!).SingleAsync()
            )
        );
    }
}
